use super::*;
use serde_json::json;
use std::fs;

fn row(pane: &str, model: &str, cost: Option<f64>) -> LedgerRow {
    LedgerRow {
        at_ms: 1_700_000_000_000,
        pane: pane.into(),
        executor: "claude".into(),
        class: "main".into(),
        model_asked: "asked".into(),
        model_served: model.into(),
        provider: "anthropic".into(),
        payer: "env:ANTHROPIC_API_KEY".into(),
        dialect: "messages".into(),
        upstream_dialect: "messages".into(),
        status: 200,
        input: 100,
        cache_read: 20,
        cache_write: 3,
        output: 7,
        cost,
        first_byte_ms: 12,
        total_ms: 34,
        attempts: 1,
        error: String::new(),
        session: "shop".into(),
        session_id: "$1".into(),
        model_sent: "sent".into(),
        credential: "env:ANTHROPIC_API_KEY".into(),
        cost_source: "list".into(),
        notes: vec!["left out: top_k".into()],
    }
}

#[test]
fn what_is_written_is_read_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/inspan.db");
    let recorder = Recorder::open(&path).unwrap();
    recorder.ledger(row("p1", "opus", Some(0.5)));
    recorder.ledger(row("p1", "", None));
    recorder.journal("s", "p1", "switched", json!({"to": "codex"}));
    recorder.save_state("{\"first\":1}");
    recorder.save_state("{\"second\":2}");
    drop(recorder);

    let recorder = Recorder::open(&path).unwrap();
    assert_eq!(recorder.warning(), None);
    assert_eq!(recorder.load_state().unwrap().as_deref(), Some("{\"second\":2}"));
    assert_eq!(recorder.requests("p1", 10).unwrap(), vec![row("p1", "", None), row("p1", "opus", Some(0.5))]);
    assert_eq!(recorder.requests("p1", 1).unwrap().len(), 1);
    assert!(recorder.requests("p2", 10).unwrap().is_empty());
    let kinds: Vec<String> = recorder
        .ask(|db| db.prepare("SELECT kind || data FROM journal")?.query_map([], |r| r.get(0))?.collect())
        .unwrap();
    assert_eq!(kinds, ["switched{\"to\":\"codex\"}"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn usage_sums_and_tells_what_has_no_price() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(&dir.path().join("db")).unwrap();
    recorder.ledger(row("p1", "opus", Some(0.5)));
    recorder.ledger(row("p1", "opus", Some(0.25)));
    recorder.ledger(row("p2", "haiku", Some(1.0)));
    recorder.ledger(LedgerRow { status: 499, at_ms: 1_800_000_000_000, ..row("p2", "", None) });

    let by_pane = recorder.usage_by(UsageBy::Pane).unwrap();
    assert_eq!(by_pane[0].key, "p2");
    assert_eq!((by_pane[0].requests, by_pane[0].failed, by_pane[0].unpriced), (2, 1, 1));
    assert_eq!(by_pane[1].cost, Some(0.75));
    assert_eq!((by_pane[1].input, by_pane[1].cache_read, by_pane[1].cache_write), (200, 40, 6));
    let models: Vec<_> =
        recorder.usage_by(UsageBy::Model).unwrap().into_iter().map(|r| (r.key, r.cost)).collect();
    assert_eq!(
        models,
        [("haiku".to_owned(), Some(1.0)), ("opus".to_owned(), Some(0.75)), ("asked".to_owned(), None)]
    );
    assert_eq!(recorder.usage_by(UsageBy::Payer).unwrap().len(), 1);
    let days = recorder.usage_by(UsageBy::Day).unwrap();
    assert!(days.len() == 2 && days[0].key > days[1].key, "{days:?}");
    assert_eq!(recorder.usage_by(UsageBy::Session).unwrap()[0].key, "shop");
    assert_eq!(recorder.spend_since(0).unwrap(), 1.75);
    assert_eq!(recorder.spend_since(1_700_000_000_001).unwrap(), 0.0);
    recorder.ledger(LedgerRow {
        at_ms: 1_800_000_000_000,
        executor: "codex".into(),
        ..row("p1", "gpt", Some(2.0))
    });
    let mut spent = recorder.spent(1_700_000_000_001).unwrap();
    spent.sort_by(|a, b| (&a.pane, &a.executor).cmp(&(&b.pane, &b.executor)));
    let spent: Vec<_> =
        spent.iter().map(|s| (s.pane.as_str(), s.executor.as_str(), s.ever, s.since)).collect();
    assert_eq!(spent, [("p1", "claude", 0.75, 0.0), ("p1", "codex", 2.0, 2.0), ("p2", "claude", 1.0, 0.0)]);
}

#[test]
fn a_switch_stays_open_until_it_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let recorder = Recorder::open(&path).unwrap();
    recorder.switch_begin("k1", "p1", &json!({"to": "codex"}));
    recorder.switch_step("k1", "stop");
    recorder.switch_begin("k2", "p2", &json!(null));
    recorder.switch_end("k2", "done");
    drop(recorder);
    let open = Recorder::open(&path).unwrap().open_switches().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].key.as_str(), open[0].pane.as_str(), open[0].step.as_str()), ("k1", "p1", "stop"));
    assert_eq!(open[0].plan, json!({"to": "codex"}));
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    fs::write(&path, "not a database, but someone's bytes".repeat(100)).unwrap();
    let recorder = Recorder::open(&path).unwrap();
    assert!(recorder.warning().unwrap().contains("db.corrupt-"), "{:?}", recorder.warning());
    recorder.ledger(row("p1", "opus", None));
    assert_eq!(recorder.requests("p1", 1).unwrap().len(), 1);
    let kept = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|p| p.to_string_lossy().contains(".corrupt-"))
        .unwrap();
    assert!(fs::read_to_string(kept).unwrap().starts_with("not a database"));
}

#[test]
fn damage_found_while_writing_begins_a_new_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let recorder = Recorder::open(&path).unwrap();
    recorder.ledger(row("old", "opus", None));
    recorder.save_state("kept");
    assert!(recorder.flush());
    recorder.ask(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))).unwrap();
    drop(recorder);
    // Keep the first page (header and schema) and ruin the tables behind it.
    let mut bytes = fs::read(&path).unwrap();
    let page = 4096;
    bytes[page..].fill(0xAA);
    fs::write(&path, bytes).unwrap();

    let recorder = Recorder::open_or_warn(&path);
    recorder.ledger(row("new", "opus", None));
    recorder.save_state("newer");
    assert!(recorder.flush());
    assert!(recorder.warning().unwrap().contains("was damaged"), "{:?}", recorder.warning());
    recorder.ledger(row("newest", "opus", None));
    assert_eq!(recorder.requests("newest", 9).unwrap().len(), 1);
    assert_eq!(recorder.load_state().unwrap().as_deref(), Some("newer"));
}

#[test]
fn a_full_disk_stops_the_ledger_with_a_warning_and_counts_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let recorder = Recorder::open_with(&path, schema::Limits { pages: Some(40) }).unwrap();
    for _ in 0..200 {
        recorder.ledger(LedgerRow { error: "x".repeat(2000), ..row("p1", "opus", None) });
        assert!(recorder.flush());
    }
    let warning = recorder.warning().unwrap();
    assert!(warning.starts_with("the ledger stopped: ") && warning.contains("full"), "{warning}");
    let kept = recorder.requests("p1", 1000).unwrap().len() as u64;
    assert!(kept > 0 && recorder.dropped().ledger == 200 - kept, "{kept} {:?}", recorder.dropped());
    recorder.save_state(&"y".repeat(500_000));
    assert!(recorder.flush());
    assert_eq!(
        recorder.load_state().unwrap().map(|s| s.len()),
        Some(500_000),
        "kept in memory for a better day"
    );
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let recorder = Recorder::open(&path).unwrap();
    recorder.ask(|db| db.execute("INSERT INTO migrations VALUES (99, 0)", [])).unwrap();
    drop(recorder);
    assert!(matches!(Recorder::open(&path), Err(RecordError::Newer { found: 99, .. })));
    let recorder = Recorder::open_or_warn(&path);
    assert!(recorder.warning().unwrap().contains("newer inspan"));
    recorder.ledger(row("p", "m", None));
    assert_eq!(recorder.dropped().ledger, 1);
    assert!(recorder.requests("p", 1).is_err());
    assert!(!recorder.flush());
}

#[test]
fn an_unusable_path_is_a_warning_not_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open_or_warn(&dir.path().join("file\0name"));
    recorder.journal("s", "", "kind", json!(1));
    assert!(recorder.warning().unwrap().contains("nothing is being recorded"));
}
