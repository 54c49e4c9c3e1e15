//! Several keys under one name: which of them is used, and what a failing one does.
use super::{lab::*, *};
use crate::{
    router::{Kept, VaultEntry},
    vault::{VaultError, VaultFile},
};
use serde_json::Value;
use std::sync::atomic::AtomicUsize;
use tokio::{io::AsyncWriteExt, sync::mpsc::UnboundedReceiver};

const ASK: &str = "{\"model\":\"wire\"}";
const GOOD: &[u8] = b"{\"type\":\"message\",\"content\":[],\"stop_reason\":\"end_turn\"}";
const KEYS: [&str; 2] = ["sk-first-0123456789", "sk-second-0123456789"];
const POOL: &str = "vault:team";

/// An upstream that gives these answers in turn, and a good one from then on.
async fn failing(answers: Vec<Vec<u8>>) -> (String, UnboundedReceiver<Seen>) {
    let (answers, count) = (Arc::new(answers), Arc::new(AtomicUsize::new(0)));
    upstream(move |mut stream| {
        let answer = answers.get(count.fetch_add(1, Ordering::Relaxed)).cloned();
        async move {
            let good = || whole("200 OK", "content-type: application/json\r\n", GOOD);
            let _ = stream.write_all(&answer.unwrap_or_else(good)).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn error(status: &str, headers: &str) -> Vec<u8> {
    let body = b"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"not now\"}}";
    whole(status, &format!("content-type: application/json\r\n{headers}"), body)
}

/// A lab whose pane pays from a pool of two keys.
fn lab(base: &str) -> Lab {
    let mut pane = pane(base);
    pane.route.credential = POOL.into();
    let lab = Lab::new(pane);
    let path = VaultFile::path(lab.dir.path());
    VaultFile::update(&path, |file| {
        let references = KEYS.map(|key| file.keep("team", &crate::vault::Secret::new(key)));
        let credentials =
            references.into_iter().map(|reference| Kept { reference, mcp_server_url: None }).collect();
        file.vaults.insert("team".into(), VaultEntry { credentials, ..VaultEntry::default() });
        Ok::<_, VaultError>(())
    })
    .unwrap();
    lab.vault.refresh(&path).unwrap();
    lab
}

async fn key_of(requests: &mut UnboundedReceiver<Seen>) -> String {
    seen(requests).await.header("x-api-key").unwrap().to_owned()
}

fn journal(lab: &Lab, kind: &str) -> Vec<Value> {
    let events = lab.recorder.events(100).unwrap();
    let of_kind = events.into_iter().filter(|event| event.kind == kind);
    of_kind.map(|event| serde_json::from_str(&event.data).unwrap()).collect()
}

#[tokio::test]
async fn a_key_that_fails_gives_its_turn_to_the_next_and_the_session_stays_there() {
    for (status, why) in [
        ("429 Too Many Requests", "rate limited"),
        ("401 Unauthorized", "not accepted"),
        ("529 Overloaded", "overloaded"),
    ] {
        let (base, mut requests) = failing(vec![error(status, "")]).await;
        let mut lab = lab(&base);
        let response = lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(response.status(), 200, "{status}");
        assert_eq!([key_of(&mut requests).await, key_of(&mut requests).await], KEYS, "{status}");
        let row = lab.finished().await;
        assert_eq!((row.attempts, row.credential.as_str()), (2, "stored:team/2"), "{status}");
        let rotated = journal(&lab, "vault.rotated");
        assert_eq!(rotated.len(), 1, "{status}");
        let said = |field: &str| rotated[0][field].as_str().unwrap().to_owned();
        assert_eq!(
            [said("pool"), said("from"), said("to"), said("why")],
            [POOL, "stored:team/1", "stored:team/2", why]
        );
        assert_eq!(journal(&lab, "session.status_rescheduled")[0]["after_ms"], 0, "nobody waits for it");

        lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(key_of(&mut requests).await, KEYS[1], "{status}: the session stays");
        lab.finished().await;
        assert_eq!(journal(&lab, "vault.rotated").len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_the_upstream_asks_for_decides_how_long_a_key_rests() {
    for (headers, at_least, at_most) in [("", 1, 5), ("retry-after: 90\r\n", 60, 90)] {
        let (base, _requests) = failing(vec![error("429 Too Many Requests", headers)]).await;
        let mut lab = lab(&base);
        assert_eq!(lab.post("/v1/messages", ASK).send().await.unwrap().status(), 200);
        lab.finished().await;
        let standing = lab.vault.standing(POOL);
        let rests = standing[0].2.expect("the first one rests").as_secs_f64();
        assert!(rests > f64::from(at_least) && rests <= f64::from(at_most), "{headers:?}: {rests}");
        assert_eq!((standing[0].1.failures, standing[1].2), (1, None));
    }
}

#[tokio::test]
async fn sessions_share_the_keys_and_each_keeps_its_own() {
    let (base, mut requests) = failing(Vec::new()).await;
    let mut lab = lab(&base);
    for (session, key) in [("$1", 0), ("$2", 1), ("$1", 0), ("$2", 1)] {
        lab.route(|pane| pane.session_id = session.into());
        lab.post("/v1/messages", ASK).send().await.unwrap();
        assert_eq!(key_of(&mut requests).await, KEYS[key], "{session}");
        lab.finished().await;
    }
    assert_eq!(journal(&lab, "vault.rotated"), Vec::<Value>::new());
}

#[tokio::test]
async fn when_every_key_fails_the_truth_is_told() {
    let refused = || error("401 Unauthorized", "");
    let (base, mut requests) = failing(vec![refused(), refused(), refused()]).await;
    let mut lab = lab(&base);
    let response = lab.post("/v1/messages", ASK).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-should-retry"]),
        (401, &"false".parse().unwrap())
    );
    assert!(response.text().await.unwrap().contains("not now"));
    assert_eq!([key_of(&mut requests).await, key_of(&mut requests).await], KEYS);
    assert!(requests.try_recv().is_err(), "each is asked once");
    let row = lab.finished().await;
    assert_eq!((row.status, row.attempts), (401, 2));
    let told = journal(&lab, "session.error");
    let told: Vec<&str> = told.iter().filter_map(|event| event["retry_status"]["type"].as_str()).collect();
    assert_eq!(told, ["retrying", "exhausted"]);
    for event in lab.recorder.events(100).unwrap() {
        assert!(KEYS.iter().all(|key| !event.data.contains(key)), "{}", event.data);
    }
}
