use super::*;
use proptest::prelude::*;

const MESSAGES: &str = concat!(
    "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":9}}}\r\n\r\n",
    ": ping\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hé\"}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);
const CHAT: &str = concat!(
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hé\"}}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0}}\n\ndata: [DONE]\n\n",
);
const RESPONSES: &str = concat!(
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hé\"}\n\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":0}}}\n\n",
);
const GEMINI: &str = concat!(
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hé\"}]},\"finishReason\":\"STOP\"}],",
    "\"usageMetadata\":{\"promptTokenCount\":9},\"modelVersion\":\"m\"}]",
);
/// Each dialect, a stream, and where its terminal event begins.
const ALL: [(Dialect, &str, &str); 4] = [
    (Dialect::Messages, MESSAGES, "event: message_stop"),
    (Dialect::Chat, CHAT, "[DONE]"),
    (Dialect::Responses, RESPONSES, "data: {\"type\":\"response.completed"),
    (Dialect::Gemini, GEMINI, "]"),
];

proptest! {
    #[test]
    fn the_way_the_bytes_are_split_does_not_matter(
        which in 0usize..4, cuts in prop::collection::vec(0usize..400, 0..20),
    ) {
        let (dialect, stream, _) = ALL[which];
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(stream.len())).collect();
        cuts.sort_unstable();
        let mut meter = Meter::new(dialect);
        let mut from = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            meter.feed(&stream.as_bytes()[from..cut]);
            from = cut;
        }
        let done = meter.finish();
        prop_assert_eq!((done.answer.as_str(), done.model.as_str(), done.usage.input), ("hé", "m", 9));
        prop_assert_eq!(done.end, End::Complete);
    }

    #[test]
    fn a_prefix_is_never_complete(which in 0usize..4, cut in 0usize..400) {
        let (dialect, stream, last) = ALL[which];
        let end = stream.rfind(last).unwrap();
        let mut meter = Meter::new(dialect);
        meter.feed(&stream.as_bytes()[..cut.min(end)]);
        prop_assert_eq!(meter.finish().end, End::Cut);
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
        for (dialect, ..) in ALL {
            let mut meter = Meter::new(dialect);
            pieces.iter().for_each(|piece| meter.feed(piece));
            meter.finish();
        }
    }
}

#[test]
fn memory_is_bounded() {
    let mut meter = Meter::new(Dialect::Chat);
    let text = "x".repeat(1000);
    let chunk = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    for _ in 0..200 {
        meter.feed(chunk.as_bytes());
    }
    assert_eq!(meter.finish().answer.len(), ANSWER_BYTES);
    let mut meter = Meter::new(Dialect::Chat);
    meter.feed(b"{");
    for _ in 0..17 {
        meter.feed(&vec![b' '; 1024 * 1024]);
    }
    assert_eq!(meter.finish().end, End::Unread);
}

#[test]
fn an_empty_body_is_cut() {
    assert_eq!(Meter::new(Dialect::Chat).finish().end, End::Cut);
}
