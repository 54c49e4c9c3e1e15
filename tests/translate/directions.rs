//! Own small streams through all twelve directions: whole, split anywhere, cut, and without a stream.
use super::{grammar::check, recorded::differs, source};
use inspan::dialect::{
    Dialect,
    translate::{self, Facts, Session, Stream},
};
use proptest::prelude::*;
use serde_json::{Value, json};

pub const ALL: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

/// Who asks and who answers.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub client: Dialect,
    pub upstream: Dialect,
}

/// All pairs.
pub fn ways() -> impl Iterator<Item = Way> {
    ALL.into_iter()
        .flat_map(|client| ALL.into_iter().map(move |upstream| Way { client, upstream }))
        .filter(|way| way.client != way.upstream)
}

/// A small generator, so that a run can be repeated.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    /// Cuts bytes at a few places, or everywhere.
    pub fn split<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let most = [1, 7, 64, 4096][self.below(4)];
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let at = (1 + self.below(most)).min(bytes.len());
            let (piece, rest) = bytes.split_at(at);
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

pub fn facts(way: Way) -> Facts<'static> {
    let (provider, wire_model) = match way.upstream {
        Dialect::Messages => ("anthropic", "claude-opus-4-6"),
        Dialect::Chat => ("openrouter", "moonshotai/kimi-k2.5"),
        Dialect::Responses => ("openai", "gpt-5.4"),
        Dialect::Gemini => ("google", "gemini-3-pro-preview"),
    };
    Facts {
        provider,
        wire_model,
        asked_model: "asked-model",
        stream: true,
        max_output: Some(64_000),
        cache_key: Some("pane-1"),
        now: 1_700_000_000,
        nonce: "n0nce",
    }
}

/// A request of this client that says nothing in particular.
pub fn hello(client: Dialect) -> Value {
    match client {
        Dialect::Messages => json!({"max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}),
        Dialect::Chat => json!({
            "messages": [{"role": "user", "content": "hello"}], "stream_options": {"include_usage": true}}),
        Dialect::Responses => json!({"input": "hello"}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
    }
}

pub fn session(way: Way) -> Session {
    translate::request(way.client, way.upstream, &hello(way.client), &facts(way)).unwrap().session
}

/// What the client reads of these pieces.
pub fn translated(way: Way, pieces: &[&[u8]], cut: bool) -> Vec<u8> {
    let mut stream = Stream::new(session(way));
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| stream.feed(piece, &mut out));
    stream.finish(cut, &mut out);
    out
}

/// Events as their dialect sends them.
pub fn bytes(dialect: Dialect, events: &[Value]) -> Vec<u8> {
    let mut text = String::new();
    for event in events {
        match dialect {
            Dialect::Messages | Dialect::Responses => {
                text.push_str(&format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap_or_default()
                ));
            }
            Dialect::Chat => text.push_str(&format!("data: {event}\n\n")),
            Dialect::Gemini => text.push_str(&format!("data: {event}\r\n\r\n")),
        }
    }
    if dialect == Dialect::Chat {
        text.push_str("data: [DONE]\n\n");
    }
    text.into_bytes()
}

/// The own streams: of each dialect one with thoughts, text and two parallel calls.
pub fn stream_of(dialect: Dialect) -> Vec<Value> {
    let text = match dialect {
        Dialect::Messages => include_str!("streams/messages.jsonl"),
        Dialect::Chat => include_str!("streams/chat.jsonl"),
        Dialect::Responses => include_str!("streams/responses.jsonl"),
        Dialect::Gemini => include_str!("streams/gemini.jsonl"),
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_direction_tells_what_was_said() {
    for way in ways() {
        let events = stream_of(way.upstream);
        let said = source::read(way.upstream, &events);
        assert_eq!(
            (said.calls.len(), said.text.is_empty(), said.thoughts.is_empty()),
            (2, false, false),
            "{way:?}"
        );
        let out = translated(way, &[&bytes(way.upstream, &events)], false);
        let told = check(way.client, &out)
            .unwrap_or_else(|why| panic!("{way:?}: {why}\n{}", String::from_utf8_lossy(&out)));
        assert_eq!(differs(&said, &told), None, "{way:?}");
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_ends_in_an_error_and_never_in_a_fake_end() {
    for way in ways() {
        let events = stream_of(way.upstream);
        // The last events may be told apart from the end by nothing but a count of tokens.
        let ends = if way.upstream == Dialect::Chat { 2 } else { 1 };
        for kept in 0..events.len() - ends {
            let raw = bytes(way.upstream, &events[..kept]);
            let raw = raw.strip_suffix(b"data: [DONE]\n\n").unwrap_or(&raw);
            let out = translated(way, &[raw], true);
            let told = check(way.client, &out).unwrap_or_else(|why| panic!("{way:?} {kept}: {why}"));
            assert!(told.failed, "{way:?} after {kept} events");
        }
    }
}

#[test]
fn half_an_event_half_a_character_and_nonsense_end_in_an_error() {
    for way in ways() {
        let raw = bytes(way.upstream, &stream_of(way.upstream));
        let page = b"<html><body>Bad gateway</body></html>".as_slice();
        for broken in
            [&raw[..raw.len() / 2], &b""[..], page, b"data: {\"a\":\xc3\n\n", b"{\"object\":", b"[]"]
        {
            let told = check(way.client, &translated(way, &[broken], false));
            assert!(told.as_ref().is_ok_and(|told| told.failed), "{way:?} {told:?}");
        }
    }
}

#[test]
fn an_error_before_the_first_word_leaves_the_way_open() {
    let way = Way { client: Dialect::Messages, upstream: Dialect::Responses };
    let mut stream = Stream::new(session(way));
    let mut out = Vec::new();
    let events = [
        json!({"type": "response.created", "response": {"id": "r", "model": "m"}}),
        json!({"type": "response.failed", "response": {"error": {"code": "server_is_overloaded", "message": "busy"}}}),
    ];
    stream.feed(&bytes(Dialect::Responses, &events), &mut out);
    assert!(out.is_empty() && !stream.started());
    assert_eq!(stream.failure().map(|failure| failure.status), Some(529));
    stream.finish(false, &mut out);
    assert!(String::from_utf8(out).unwrap().contains("overloaded_error"));
}

#[test]
fn the_caller_may_end_a_stream_and_keep_it_alive() {
    for way in ways() {
        let raw = bytes(way.upstream, &stream_of(way.upstream));
        let mut stream = Stream::new(session(way));
        let mut out = Vec::new();
        stream.feed(&raw[..raw.len() * 3 / 5], &mut out);
        let mut alive = Vec::new();
        stream.keep_alive(&mut alive);
        let mut meter = inspan::dialect::Meter::new(way.client);
        meter.feed(&out);
        meter.feed(&alive);
        assert!(meter.at_boundary(), "{way:?}");
        stream.abort("nothing came for a minute", &mut out);
        let before = out.len();
        stream.abort("again", &mut out);
        stream.finish(true, &mut out);
        assert_eq!(out.len(), before, "{way:?}: an end is one");
        assert!(check(way.client, &out).unwrap().failed, "{way:?}");
        assert!(stream.failure().unwrap().message.contains("a minute"));
    }
}

#[test]
fn a_whole_answer_tells_the_same_as_its_stream() {
    for way in ways() {
        let said = source::read(way.upstream, &stream_of(way.upstream));
        let whole = whole_of(way.upstream);
        let answer = translate::response(whole.to_string().as_bytes(), &session(way)).unwrap();
        let back = Way { client: way.upstream, upstream: way.client };
        // The way back proves it in the words of the first dialect.
        let again = translate::response(answer.body.to_string().as_bytes(), &session(back)).unwrap();
        assert_eq!(facts_of(way.upstream, &again.body), facts_of(way.upstream, &whole), "{way:?}");
        assert_eq!(facts_of(way.upstream, &whole).0, said.text);
        assert!(answer.reported && answer.usage.output > 0, "{way:?}");
        // A harness that asked for a stream gets one even so.
        let told = check(way.client, &translated(way, &[whole.to_string().as_bytes()], false)).unwrap();
        assert_eq!(differs(&said, &told), None, "{way:?}");
    }
}

/// Text and calls of a whole answer.
fn facts_of(dialect: Dialect, body: &Value) -> (String, Vec<(String, Value)>) {
    let parsed = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
    let (mut text, mut calls) = (String::new(), Vec::new());
    let list = match dialect {
        Dialect::Messages => &body["content"],
        Dialect::Chat => &body["choices"][0]["message"]["tool_calls"],
        Dialect::Responses => &body["output"],
        Dialect::Gemini => &body["candidates"][0]["content"]["parts"],
    };
    text.push_str(body["choices"][0]["message"]["content"].as_str().unwrap_or_default());
    for part in list.as_array().unwrap() {
        if part["thought"] != true {
            text.push_str(part["text"].as_str().unwrap_or_default());
        }
        text.push_str(part["content"][0]["text"].as_str().unwrap_or_default());
        let call = match dialect {
            Dialect::Messages => part.get("input").map(|input| (&part["name"], input.clone())),
            Dialect::Chat => part.get("function").map(|f| (&f["name"], parsed(&f["arguments"]))),
            Dialect::Responses => part.get("arguments").map(|arguments| (&part["name"], parsed(arguments))),
            Dialect::Gemini => part.get("functionCall").map(|call| (&call["name"], call["args"].clone())),
        };
        calls.extend(call.map(|(name, arguments)| (name.as_str().unwrap().to_owned(), arguments)));
    }
    (text, calls)
}

/// The same answers without a stream.
fn whole_of(dialect: Dialect) -> Value {
    let all: Value = serde_json::from_str(include_str!("streams/whole.json")).unwrap();
    all[dialect.as_str()].clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_split_gives_equal_output(seed in any::<u64>()) {
        let mut random = Random(seed);
        for way in ways() {
            let raw = bytes(way.upstream, &stream_of(way.upstream));
            let pieces = random.split(&raw);
            prop_assert_eq!(translated(way, &pieces, false), translated(way, &[&raw], false));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_every_end_is_one(
        seed in any::<u64>(), noise in prop::collection::vec(any::<u8>(), 0..24), at in 0usize..4000,
    ) {
        let mut random = Random(seed);
        for way in ways() {
            let mut raw = bytes(way.upstream, &stream_of(way.upstream));
            let at = at % raw.len();
            raw.splice(at..(at + noise.len()).min(raw.len()), noise.iter().copied());
            let out = translated(way, &random.split(&raw), false);
            let told = check(way.client, &out);
            // What a model wrote as arguments is passed on as it is, even broken.
            let sound = told.as_ref().is_ok() || told.as_ref().is_err_and(|why| why.starts_with("arguments are no object"));
            prop_assert!(sound, "{:?}: {:?}", way, told);
        }
    }
}
