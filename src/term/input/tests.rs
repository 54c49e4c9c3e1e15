use super::*;
use crate::mux::keys::tests::any_key;
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::new();
    let mut out = decoder.feed(bytes);
    out.extend(decoder.flush());
    out
}

/// A short form of inputs for tables: keys in notation, `+` for a repeat, `-` for a release.
fn shown(inputs: &[Input]) -> String {
    let one = |input: &Input| match input {
        Input::Key(event) => match event.kind {
            KeyKind::Press => event.key.to_string(),
            KeyKind::Repeat => format!("+{}", event.key),
            KeyKind::Release => format!("-{}", event.key),
        },
        Input::Paste(bytes) => format!("paste {:?}", String::from_utf8_lossy(bytes)),
        Input::Reply(Reply::Unknown(raw)) => format!("unknown {:?}", String::from_utf8_lossy(raw)),
        other => format!("{other:?}"),
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn keys_of_every_protocol_are_recognised() {
    for (bytes, keys) in [
        ("aÜ界", "a Ü 界"),
        (" \r\n\t\x7f\x08\0", "Space Enter C-j Tab BSpace C-h C-Space"),
        ("\x01\x1a\x1c\x1d\x1e\x1f", "C-a C-z C-\\ C-] C-^ C-_"),
        ("\x1b", "Escape"),
        ("\x1b\x1b", "Escape Escape"),
        ("\x1b\x1b\x1b", "Escape Escape Escape"),
        ("\x1bx\x1bX\x1b\r\x1b\x7f\x1b\x01\x1bé", "M-x M-X M-Enter M-BSpace C-M-a M-é"),
        ("\x1b\x1bx", "Escape M-x"),
        ("\x1b[", "M-["),
        ("\x1bO", "M-O"),
        ("\x1b]", "M-]"),
        ("\x1bP", "M-P"),
        ("\x1b_", "M-_"),
        ("\x1b]a", "M-] a"),
        ("\x1bOé", "M-O é"),
        ("\x1b\x1b[", "Escape M-["),
        ("\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F", "Up Down Right Left Home End"),
        ("\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF", "Up Down Right Left Home End"),
        ("\x1bOP\x1bOQ\x1bOR\x1bOS\x1b[15~\x1b[24~\x1b[34~", "F1 F2 F3 F4 F5 F12 F20"),
        ("\x1b[1~\x1b[2~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", "Home IC DC End PPage NPage Home End"),
        ("\x1b[1;5A\x1b[1;2P\x1b[3;3~\x1b[1;5R\x1b[6;8~", "C-Up S-F1 M-DC C-F3 C-M-S-NPage"),
        ("\x1b[Z\x1b\x1b[Z\x1b[1;6Z", "S-Tab M-S-Tab C-S-Tab"),
        ("\x1b\x1b[A\x1b\x1bOA", "M-Up M-Up"),
        ("\x1b[[A\x1b[[E", "F1 F5"),
        ("\x1b[a\x1bOa\x1b[7^\x1b[7@\x1bO5P", "S-Up C-Up C-Home C-S-Home C-F1"),
        ("\x1bOM\x1bOp\x1bOk", "Enter 0 +"),
        // modifyOtherKeys
        (
            "\x1b[27;2;13~\x1b[27;5;97~\x1b[27;6;65~\x1b[27;5;9~\x1b[27;3;127~",
            "S-Enter C-a C-S-a C-Tab M-BSpace",
        ),
        ("\x1b[27;5;32~\x1b[27;4;65~\x1b[27;4;33~", "C-Space M-A M-!"),
        // kitty
        (
            "\x1b[97u\x1b[13;2u\x1b[27u\x1b[9;5u\x1b[127;3u\x1b[32;5u",
            "a S-Enter Escape C-Tab M-BSpace C-Space",
        ),
        ("\x1b[97;5u\x1b[97;6u\x1b[97:65;2u\x1b[49:33;2u\x1b[49:33;4u", "C-a C-S-a A ! M-!"),
        ("\x1b[97;1:1u\x1b[97;1:2u\x1b[97;1:3u\x1b[1;1:3A\x1b[3;5:2~", "a +a -a -Up +C-DC"),
        ("\x1b[1089::99;5u\x1b[1089::99;1u", "C-c с"),
        ("\x1b[97;65u\x1b[97;129u\x1b[97;33u\x1b[97;9u", "a a M-a Super-a"),
        ("\x1b[57399u\x1b[57414u\x1b[57417;5u\x1b[57376u\x1b[57387u", "0 Enter C-Left F13 F24"),
        ("\x1b[57441;2u\x1b[57428u", "S-Other57441 Other57428"),
        ("\x1b[P\x1b[13~\x1b[S", "F1 F3 F4"),
    ] {
        assert_eq!(shown(&decode(bytes.as_bytes())), keys, "{bytes:?}");
    }
}

#[test]
fn a_key_carries_its_text_and_its_bytes() {
    let one = |bytes: &[u8]| match decode(bytes).as_slice() {
        [Input::Key(event)] => (event.text.clone(), event.raw.clone()),
        other => panic!("{other:?}"),
    };
    for (bytes, text) in [
        ("é", Some("é")),
        (" ", Some(" ")),
        ("\x1b[97;2;65u", Some("A")),
        ("\x1b[97;;228u", Some("ä")),
        ("\x1b[97;1:2;97:769u", Some("a\u{301}")),
        ("\x1b[97:65;2u", Some("A")),
        ("\x1b[97;1:3u", None),
        ("\x1b[97;5u", None),
        ("\x1bx", None),
        ("\x1b[A", None),
        ("\r", None),
    ] {
        assert_eq!(one(bytes.as_bytes()), (text.map(String::from), bytes.as_bytes().to_vec()), "{bytes:?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_marked_and_kept() {
    for (bytes, raws) in [
        (&b"\xff"[..], vec![&b"\xff"[..]]),
        (b"\xc3a", vec![b"\xc3", b"a"]),
        (b"\xe2\x82", vec![b"\xe2\x82"]),
        (b"\xe0\x80\x80", vec![b"\xe0\x80\x80"]),
        (b"\xf0\x9f\x98\x1b[A", vec![b"\xf0\x9f\x98", b"\x1b[A"]),
        (b"\x1b\xc3\x1b", vec![b"\x1b\xc3", b"\x1b"]),
    ] {
        let found: Vec<Vec<u8>> = decode(bytes)
            .into_iter()
            .map(|input| match input {
                Input::Key(event) => event.raw,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, raws, "{bytes:?}");
    }
    assert_eq!(shown(&decode(b"\xff")), "\u{fffd}");
}

#[test]
fn mouse_reports_are_recognised() {
    let event = |kind, button, x, y, mods| Input::Mouse(MouseEvent { kind, button, x, y, mods });
    use {MouseButton as B, MouseKind as K};
    for (bytes, expected) in [
        (&b"\x1b[<0;1;1M"[..], event(K::Press, B::Left, 0, 0, Mods::NONE)),
        (b"\x1b[<0;10;5m", event(K::Release, B::Left, 9, 4, Mods::NONE)),
        (b"\x1b[<2;300;200M", event(K::Press, B::Right, 299, 199, Mods::NONE)),
        (b"\x1b[<32;2;2M", event(K::Drag, B::Left, 1, 1, Mods::NONE)),
        (b"\x1b[<35;2;2M", event(K::Move, B::None, 1, 1, Mods::NONE)),
        (b"\x1b[<64;2;2M", event(K::Wheel, B::WheelUp, 1, 1, Mods::NONE)),
        (b"\x1b[<81;2;2M", event(K::Wheel, B::WheelDown, 1, 1, Mods::CTRL)),
        (b"\x1b[<28;2;2M", event(K::Press, B::Left, 1, 1, Mods::SHIFT | Mods::ALT | Mods::CTRL)),
        (b"\x1b[<128;2;2M", event(K::Press, B::Extra(8), 1, 1, Mods::NONE)),
        (b"\x1b[<0;0;99999999M", event(K::Press, B::Left, 0, 65535, Mods::NONE)),
        (b"\x1b[M !!", event(K::Press, B::Left, 0, 0, Mods::NONE)),
        (b"\x1b[M#\xff\x21", event(K::Release, B::None, 222, 0, Mods::NONE)),
        (b"\x1b[M`##", event(K::Wheel, B::WheelUp, 2, 2, Mods::NONE)),
        (b"\x1b[32;300;2M", event(K::Press, B::Left, 299, 1, Mods::NONE)),
        (b"\x1b[35;3;2M", event(K::Release, B::None, 2, 1, Mods::NONE)),
    ] {
        assert_eq!(decode(bytes), [expected], "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn replies_are_recognised() {
    for (bytes, expected) in [
        ("\x1b[?62;4;22c", Reply::DeviceAttributes(vec![62, 4, 22])),
        ("\x1b[>41;354;0c", Reply::SecondaryAttributes(vec![41, 354, 0])),
        ("\x1bP>|kitty(0.32.2)\x1b\\", Reply::Version("kitty(0.32.2)".into())),
        ("\x1b[?5u", Reply::KittyFlags(5)),
        ("\x1b[?2026;2$y", Reply::Mode { mode: 2026, value: 2, private: true }),
        ("\x1b[4;1$y", Reply::Mode { mode: 4, value: 1, private: false }),
        ("\x1b]10;rgb:ffff/8080/0000\x1b\\", Reply::Colour { osc: 10, rgb: (255, 128, 0) }),
        ("\x1b]11;rgb:1e/1f/20\x07", Reply::Colour { osc: 11, rgb: (0x1e, 0x1f, 0x20) }),
        ("\x1b]11;rgba:f/0/f/8\x07", Reply::Colour { osc: 11, rgb: (255, 0, 255) }),
        ("\x1b[24;80R", Reply::CursorPosition { x: 79, y: 23 }),
        ("\x1b[?24;80R", Reply::CursorPosition { x: 79, y: 23 }),
        ("\x1b[1;1R", Reply::CursorPosition { x: 0, y: 0 }),
        ("\x1b[1;80R", Reply::CursorPosition { x: 79, y: 0 }),
        ("\x1b[?997;1n", Reply::ColourScheme { dark: true }),
        ("\x1b]52;c;aGk=\x1b\\", Reply::Clipboard { selection: "c".into(), data: b"hi".to_vec() }),
        ("\x1b]52;;\x07", Reply::Clipboard { selection: String::new(), data: Vec::new() }),
    ] {
        assert_eq!(decode(bytes.as_bytes()), [Input::Reply(expected)], "{bytes:?}");
    }
    for bytes in [
        "\x1b]52;c;!!\x07",
        "\x1b]11;blue\x07",
        "\x1b]11;rgb:12345/0/0\x07",
        "\x1b[?1;2x",
        "\x1b[99999999999999u",
        "\x1b[201~",
        "\x1b[8;24;80t",
        "\x1b_Gi=31;OK\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1b[1;",
        "\x1b]11;rgb:1",
        "\x1b[M !",
    ] {
        assert_eq!(decode(bytes.as_bytes()), [Input::Reply(Reply::Unknown(bytes.into()))], "{bytes:?}");
    }
    assert_eq!(decode(b"\x1b[I\x1b[O"), [Input::FocusIn, Input::FocusOut]);
}

#[test]
fn a_sequence_that_is_cut_off_gives_way_to_what_follows() {
    for (bytes, expected) in [
        ("\x1b[1;\x1b[A", "unknown \"\\u{1b}[1;\" Up"),
        ("\x1b[1;\rx", "unknown \"\\u{1b}[1;\" Enter x"),
        ("\x1b]11;rg\x03x", "unknown \"\\u{1b}]11;rg\" C-c x"),
        ("\x1b]11;rg\x1b[A", "unknown \"\\u{1b}]11;rg\" Up"),
        ("\x1b[\x1b[A", "M-[ Up"),
        ("\x1b\x1b[1x", "Escape unknown \"\\u{1b}[1x\""),
    ] {
        assert_eq!(shown(&decode(bytes.as_bytes())), expected, "{bytes:?}");
    }
}

#[test]
fn an_escape_is_held_until_it_is_clear() {
    let mut decoder = Decoder::new();
    assert_eq!((decoder.pending_escape(), decoder.pending()), (false, None));
    assert!(decoder.feed(b"\x1b").is_empty());
    assert_eq!((decoder.pending_escape(), decoder.pending()), (true, Some(ESCAPE_TIMEOUT)));
    assert_eq!(shown(&decoder.feed(b"[A")), "Up");
    assert_eq!((decoder.pending_escape(), decoder.pending()), (false, None));
    decoder.feed(b"\x1b[1;");
    assert_eq!((decoder.pending_escape(), decoder.pending()), (false, Some(SEQUENCE_TIMEOUT)));
    assert_eq!(shown(&decoder.feed(b"5A")), "C-Up");
    decoder.feed(b"\x1b");
    assert_eq!(shown(&decoder.flush()), "Escape");
    assert!(decoder.flush().is_empty());
    assert_eq!(shown(&decoder.feed(b"[A")), "[ A");
}

#[test]
fn pastes_arrive_whole_whatever_is_in_them() {
    assert_eq!(shown(&decode(b"a\x1b[200~x\x1b[A\r\x03\x1b[201~b")), "a paste \"x\\u{1b}[A\\r\\u{3}\" b");
    assert_eq!(decode(b"\x1b[200~\x1b[201~"), [Input::Paste(Vec::new())]);
    assert_eq!(shown(&decode(b"\x1b[200~\x1b[20\x1b[201~")), "paste \"\\u{1b}[20\"");
}

#[test]
fn a_long_paste_is_passed_on_in_parts_and_nothing_is_lost() {
    // Three-byte characters and end marks all but complete, shifted so that the bound falls everywhere in them.
    for shift in 0..9 {
        let text = ["a".repeat(shift), "界\x1b[201 ".repeat(PASTE_CHUNK / 8)].concat().into_bytes();
        let mut decoder = Decoder::new();
        let mut inputs = decoder.feed(b"\x1b[200~");
        inputs.extend(decoder.feed(&text));
        inputs.extend(decoder.feed(b"\x1b[201~"));
        let parts: Vec<Vec<u8>> = inputs
            .into_iter()
            .map(|input| match input {
                Input::Paste(part) => part,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.len() <= PASTE_CHUNK && std::str::from_utf8(part).is_ok()));
        assert!(parts.concat() == text);
        assert_eq!(decoder.pending(), None);
    }
}

#[test]
fn a_paste_that_stalls_is_passed_on_and_stays_a_paste() {
    let mut decoder = Decoder::new();
    decoder.feed(b"\x1b[200~ls\r\x1b[20");
    assert_eq!(decoder.pending(), Some(SEQUENCE_TIMEOUT));
    assert_eq!(shown(&decoder.flush()), "paste \"ls\\r\"");
    assert_eq!(shown(&decoder.feed(b"1~x")), "paste \"\" x");
}

#[test]
fn endless_sequences_are_bounded_and_a_key_ends_them() {
    for (start, limit) in [
        (&b"\x1b]11;"[..], STRING_LIMIT),
        (b"\x1bP>|", STRING_LIMIT),
        (b"\x1b]52;c;", CLIPBOARD_LIMIT),
        (b"\x1b[", SEQUENCE_LIMIT),
    ] {
        let mut decoder = Decoder::new();
        decoder.feed(start);
        let got = decoder.feed(&vec![b'1'; 2 * limit]);
        assert!(
            matches!(got.as_slice(), [Input::Reply(Reply::Unknown(raw))] if raw.len() <= limit),
            "{start:?}"
        );
        assert!(decoder.held.capacity() <= 2 * limit);
        assert_eq!(shown(&decoder.feed(b"\rx")), "Enter x", "{start:?}");
    }
    let mut decoder = Decoder::new();
    decoder.feed(b"\x1b]11;");
    decoder.feed(&[b'1'; STRING_LIMIT]);
    assert_eq!(shown(&decoder.feed(b"11\x1b\\a")), "a");
}

/// Pieces that a terminal sends, and pieces of those.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"\x1b",
        b"\x1b[",
        b"\x1b]11;rgb:11/22/33",
        b"\x1b\\",
        b"\x07",
        b"\x1bP>|x",
        b"\x1b_G",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b[M",
        b"\x1b[<0;1;1M",
        b"\x1bO",
        b"\x1b[97:65;2:3;97u",
        b"\x1b[1;5",
        b"A",
        b"~",
        b"\r",
        "界é".as_bytes(),
        b"\xe7\x95",
        b"\xff",
        b"12;",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// The bytes that an input stands for, for inputs that keep them.
fn raw_of(input: &Input) -> Option<&[u8]> {
    match input {
        Input::Key(event) => Some(&event.raw),
        Input::Reply(Reply::Unknown(raw)) => Some(raw),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_inputs(
        bytes in any_bytes(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = decode(&bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut decoder = Decoder::new();
        let mut parts: Vec<Input> = Vec::new();
        for pair in cuts.windows(2) {
            parts.extend(decoder.feed(&bytes[pair[0]..pair[1]]));
        }
        parts.extend(decoder.flush());
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn keys_and_unknown_sequences_keep_every_byte(bytes in any_bytes()) {
        let inputs = decode(&bytes);
        if let Some(raw) = inputs.iter().map(raw_of).collect::<Option<Vec<_>>>()
            && !bytes.windows(6).any(|part| part == b"\x1b[200~")
        {
            prop_assert_eq!(raw.concat(), bytes);
        }
    }

    #[test]
    fn what_is_recognised_does_not_depend_on_what_came_before(bytes in any_bytes(), key in any_key()) {
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        // Twice: the first flush may leave a paste open, which only its end closes.
        decoder.flush();
        decoder.feed(b"\x1b[201~");
        decoder.flush();
        let modes = crate::term::encode::KeyModes { kitty: 1, ..Default::default() };
        let sent = crate::term::encode::encode_key(&key, KeyKind::Press, &modes);
        prop_assert_eq!(decoder.feed(&sent), Decoder::new().feed(&sent));
    }
}
