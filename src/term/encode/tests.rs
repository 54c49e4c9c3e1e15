use super::*;
use crate::{
    mux::keys::{Key, KeyCode, Mods, tests::any_key},
    term::input::{Decoder, Input, KeyEvent, KeyKind, MouseButton, MouseEvent, MouseKind},
};
use proptest::prelude::*;

const LEGACY: KeyModes =
    KeyModes { app_cursor: false, app_keypad: false, backarrow: false, modify_other_keys: 0, kitty: 0 };
const APP: KeyModes = KeyModes { app_cursor: true, app_keypad: true, ..LEGACY };

fn other(level: u8) -> KeyModes {
    KeyModes { modify_other_keys: level, ..LEGACY }
}

fn kitty(flags: u8) -> KeyModes {
    KeyModes { kitty: flags, ..LEGACY }
}

fn sent(notation: &str, kind: KeyKind, modes: KeyModes) -> String {
    let key: Key = notation.parse().unwrap();
    String::from_utf8(encode_key(&key, kind, &modes)).unwrap()
}

#[test]
fn each_key_in_each_mode() {
    // Key, legacy, modifyOtherKeys 1 and 2, kitty 1 (disambiguate), kitty 15 and 31 (everything).
    for (key, legacy, mok1, mok2, k1, k15, k31) in [
        ("a", "a", "a", "a", "a", "\x1b[97u", "\x1b[97;;97u"),
        ("A", "A", "A", "A", "A", "\x1b[97:65;2u", "\x1b[97:65;2;65u"),
        ("é", "é", "é", "é", "é", "\x1b[233u", "\x1b[233;;233u"),
        ("Space", " ", " ", " ", " ", "\x1b[32u", "\x1b[32;;32u"),
        ("Enter", "\r", "\r", "\r", "\r", "\x1b[13u", "\x1b[13u"),
        ("S-Enter", "\r", "\x1b[27;2;13~", "\x1b[27;2;13~", "\x1b[13;2u", "\x1b[13;2u", "\x1b[13;2u"),
        ("M-Enter", "\x1b\r", "\x1b\r", "\x1b[27;3;13~", "\x1b[13;3u", "\x1b[13;3u", "\x1b[13;3u"),
        ("C-Enter", "\r", "\x1b[27;5;13~", "\x1b[27;5;13~", "\x1b[13;5u", "\x1b[13;5u", "\x1b[13;5u"),
        ("Tab", "\t", "\t", "\t", "\t", "\x1b[9u", "\x1b[9u"),
        ("S-Tab", "\x1b[Z", "\x1b[Z", "\x1b[Z", "\x1b[9;2u", "\x1b[9;2u", "\x1b[9;2u"),
        ("C-Tab", "\t", "\t", "\x1b[27;5;9~", "\x1b[9;5u", "\x1b[9;5u", "\x1b[9;5u"),
        ("BSpace", "\x7f", "\x7f", "\x7f", "\x7f", "\x1b[127u", "\x1b[127u"),
        ("C-BSpace", "\x08", "\x08", "\x1b[27;5;127~", "\x1b[127;5u", "\x1b[127;5u", "\x1b[127;5u"),
        ("M-BSpace", "\x1b\x7f", "\x1b\x7f", "\x1b[27;3;127~", "\x1b[127;3u", "\x1b[127;3u", "\x1b[127;3u"),
        ("Escape", "\x1b", "\x1b", "\x1b", "\x1b[27u", "\x1b[27u", "\x1b[27u"),
        ("C-Space", "\0", "\0", "\x1b[27;5;32~", "\x1b[32;5u", "\x1b[32;5u", "\x1b[32;5u"),
        ("C-a", "\x01", "\x01", "\x1b[27;5;97~", "\x1b[97;5u", "\x1b[97;5u", "\x1b[97;5u"),
        ("C-S-a", "\x01", "\x01", "\x1b[27;6;65~", "\x1b[97;6u", "\x1b[97:65;6u", "\x1b[97:65;6u"),
        ("C-i", "\t", "\t", "\x1b[27;5;105~", "\x1b[105;5u", "\x1b[105;5u", "\x1b[105;5u"),
        ("C-/", "\x1f", "\x1f", "\x1b[27;5;47~", "\x1b[47;5u", "\x1b[47;5u", "\x1b[47;5u"),
        ("C-;", ";", "\x1b[27;5;59~", "\x1b[27;5;59~", "\x1b[59;5u", "\x1b[59;5u", "\x1b[59;5u"),
        ("M-x", "\x1bx", "\x1bx", "\x1b[27;3;120~", "\x1b[120;3u", "\x1b[120;3u", "\x1b[120;3u"),
        ("M-X", "\x1bX", "\x1bX", "\x1b[27;3;88~", "\x1b[120;4u", "\x1b[120:88;4u", "\x1b[120:88;4u"),
        ("C-M-a", "\x1b\x01", "\x1b\x01", "\x1b[27;7;97~", "\x1b[97;7u", "\x1b[97;7u", "\x1b[97;7u"),
        ("Up", "\x1b[A", "\x1b[A", "\x1b[A", "\x1b[A", "\x1b[A", "\x1b[A"),
        ("C-Left", "\x1b[1;5D", "\x1b[1;5D", "\x1b[1;5D", "\x1b[1;5D", "\x1b[1;5D", "\x1b[1;5D"),
        ("Home", "\x1b[H", "\x1b[H", "\x1b[H", "\x1b[H", "\x1b[H", "\x1b[H"),
        ("PPage", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~"),
        ("S-DC", "\x1b[3;2~", "\x1b[3;2~", "\x1b[3;2~", "\x1b[3;2~", "\x1b[3;2~", "\x1b[3;2~"),
        ("F1", "\x1bOP", "\x1bOP", "\x1bOP", "\x1b[P", "\x1b[P", "\x1b[P"),
        ("F3", "\x1bOR", "\x1bOR", "\x1bOR", "\x1b[13~", "\x1b[13~", "\x1b[13~"),
        ("C-F3", "\x1b[1;5R", "\x1b[1;5R", "\x1b[1;5R", "\x1b[13;5~", "\x1b[13;5~", "\x1b[13;5~"),
        ("F12", "\x1b[24~", "\x1b[24~", "\x1b[24~", "\x1b[24~", "\x1b[24~", "\x1b[24~"),
        ("F13", "\x1b[25~", "\x1b[25~", "\x1b[25~", "\x1b[57376u", "\x1b[57376u", "\x1b[57376u"),
        ("KPEnter", "\r", "\r", "\r", "\x1b[57414u", "\x1b[57414u", "\x1b[57414u"),
        ("KP5", "5", "5", "5", "5", "\x1b[57404u", "\x1b[57404;;53u"),
        ("Other57441", "", "", "", "", "\x1b[57441u", "\x1b[57441u"),
    ] {
        let press = |modes| sent(key, KeyKind::Press, modes);
        assert_eq!(press(LEGACY), legacy, "legacy {key}");
        assert_eq!(press(other(1)), mok1, "modifyOtherKeys 1 {key}");
        assert_eq!(press(other(2)), mok2, "modifyOtherKeys 2 {key}");
        assert_eq!(press(kitty(1)), k1, "kitty 1 {key}");
        assert_eq!(press(kitty(15)), k15, "kitty 15 {key}");
        assert_eq!(press(kitty(31)), k31, "kitty 31 {key}");
    }
}

#[test]
fn application_modes_change_cursor_and_keypad_only() {
    for (key, expected) in [
        ("Up", "\x1bOA"),
        ("End", "\x1bOF"),
        ("C-Up", "\x1b[1;5A"),
        ("PPage", "\x1b[5~"),
        ("KP5", "\x1bOu"),
        ("KPEnter", "\x1bOM"),
        ("5", "5"),
        ("Enter", "\r"),
    ] {
        assert_eq!(sent(key, KeyKind::Press, APP), expected, "{key}");
    }
    // The kitty protocol takes no notice of them.
    assert_eq!(sent("Up", KeyKind::Press, KeyModes { kitty: 1, ..APP }), "\x1b[A");
}

#[test]
fn repeats_and_releases_are_told_to_those_who_asked() {
    for (key, kind, modes, expected) in [
        ("a", KeyKind::Release, LEGACY, ""),
        ("a", KeyKind::Repeat, LEGACY, "a"),
        ("Up", KeyKind::Repeat, other(2), "\x1b[A"),
        ("C-a", KeyKind::Release, other(2), ""),
        ("Up", KeyKind::Release, kitty(1), ""),
        ("Up", KeyKind::Repeat, kitty(1), "\x1b[A"),
        ("Up", KeyKind::Repeat, kitty(3), "\x1b[1;1:2A"),
        ("C-Up", KeyKind::Release, kitty(3), "\x1b[1;5:3A"),
        ("DC", KeyKind::Release, kitty(3), "\x1b[3;1:3~"),
        ("F3", KeyKind::Release, kitty(3), "\x1b[13;1:3~"),
        ("a", KeyKind::Repeat, kitty(3), "a"),
        ("a", KeyKind::Release, kitty(3), "\x1b[97;1:3u"),
        ("Enter", KeyKind::Release, kitty(7), ""),
        ("Enter", KeyKind::Release, kitty(15), "\x1b[13;1:3u"),
        ("S-Enter", KeyKind::Release, kitty(7), "\x1b[13;2:3u"),
        ("Escape", KeyKind::Release, kitty(7), "\x1b[27;1:3u"),
        ("a", KeyKind::Repeat, kitty(31), "\x1b[97;1:2;97u"),
        ("a", KeyKind::Release, kitty(31), "\x1b[97;1:3u"),
        // Event types alone leave presses as they were.
        ("Escape", KeyKind::Press, kitty(2), "\x1b"),
        ("C-a", KeyKind::Press, kitty(2), "\x01"),
        ("Other57441", KeyKind::Press, kitty(7), ""),
        ("Other57428", KeyKind::Press, kitty(7), "\x1b[57428u"),
    ] {
        assert_eq!(sent(key, kind, modes), expected, "{key} {kind:?} {modes:?}");
    }
}

#[test]
fn a_paste_cannot_end_itself_or_press_keys() {
    let paste = |text: &str, bracketed| String::from_utf8(encode_paste(text.as_bytes(), bracketed)).unwrap();
    assert_eq!(paste("a\nb\r\nc\rd\t界", true), "\x1b[200~a\nb\r\nc\rd\t界\x1b[201~");
    assert_eq!(paste("a\nb\r\nc\rd\t界", false), "a\rb\rc\rd\t界");
    assert_eq!(paste("", true), "\x1b[200~\x1b[201~");
    assert_eq!(paste("ls\x1b[201~\rrm\x1b[A\x03\x7f", true), "\x1b[200~ls\rrm[A\x1b[201~");
    assert_eq!(paste("x\x1b[20\x1b[201~1~y", true), "\x1b[200~x[201~y\x1b[201~");
    assert_eq!(paste("ls\x1b[A\x04", false), "ls[A");
}

#[test]
fn focus_changes() {
    assert_eq!((encode_focus(true), encode_focus(false)), (&b"\x1b[I"[..], &b"\x1b[O"[..]));
}

fn at(kind: MouseKind, button: MouseButton, x: u16, y: u16) -> MouseEvent {
    MouseEvent { kind, button, x, y, mods: Mods::NONE }
}

#[test]
fn mouse_reports_in_each_encoding() {
    let press = at(MouseKind::Press, MouseButton::Left, 4, 9);
    let release = at(MouseKind::Release, MouseButton::Right, 4, 9);
    let drag = MouseEvent { mods: Mods::CTRL, ..at(MouseKind::Drag, MouseButton::Left, 4, 9) };
    let wheel = at(MouseKind::Wheel, MouseButton::WheelDown, 299, 0);
    use MouseEncoding as E;
    for (event, encoding, expected) in [
        (press, E::Sgr, Some("\x1b[<0;5;10M")),
        (release, E::Sgr, Some("\x1b[<2;5;10m")),
        (drag, E::Sgr, Some("\x1b[<48;5;10M")),
        (wheel, E::Sgr, Some("\x1b[<65;300;1M")),
        (press, E::X10, Some("\x1b[M %*")),
        (release, E::X10, Some("\x1b[M#%*")),
        (drag, E::X10, Some("\x1b[MP%*")),
        (wheel, E::X10, None),
        (wheel, E::Utf8, Some("\x1b[Ma\u{14c}!")),
        (press, E::Urxvt, Some("\x1b[32;5;10M")),
        (release, E::Urxvt, Some("\x1b[35;5;10M")),
        (wheel, E::Urxvt, Some("\x1b[97;300;1M")),
    ] {
        let modes = MouseModes { tracking: MouseTracking::Any, encoding };
        assert_eq!(encode_mouse(&event, &modes), expected.map(|text| text.as_bytes().to_vec()), "{event:?}");
    }
    let last = at(MouseKind::Press, MouseButton::Left, 222, 222);
    let modes = MouseModes { tracking: MouseTracking::Button, encoding: E::X10 };
    assert_eq!(encode_mouse(&last, &modes), Some(b"\x1b[M \xff\xff".to_vec()));
}

#[test]
fn only_what_was_asked_for_is_reported() {
    use {MouseButton as B, MouseKind as K, MouseTracking as T};
    let events = [
        at(K::Press, B::Left, 0, 0),
        at(K::Release, B::Left, 0, 0),
        at(K::Wheel, B::WheelUp, 0, 0),
        at(K::Drag, B::Left, 0, 0),
        at(K::Move, B::None, 0, 0),
    ];
    for (tracking, count) in [(T::Off, 0), (T::Press, 1), (T::Button, 3), (T::Drag, 4), (T::Any, 5)] {
        let modes = MouseModes { tracking, encoding: MouseEncoding::Sgr };
        let told = events.iter().filter(|event| encode_mouse(event, &modes).is_some()).count();
        assert_eq!(told, count, "{tracking:?}");
    }
}

fn only_key(bytes: &[u8]) -> Option<KeyEvent> {
    let mut decoder = Decoder::new();
    let mut inputs = decoder.feed(bytes);
    inputs.extend(decoder.flush());
    match inputs.as_slice() {
        [Input::Key(event)] => Some(event.clone()),
        _ => None,
    }
}

#[test]
fn functional_keys_round_trip_in_the_legacy_form() {
    use KeyCode::{Delete, Down, End, F, Home, Insert, Left, PageDown, PageUp, Right, Up};
    let named = [Up, Down, Left, Right, Home, End, PageUp, PageDown, Insert, Delete];
    for code in named.into_iter().chain((1..=24).map(F)) {
        for bits in 0..16 {
            let key = Key::new(code, Mods::from_bits(bits));
            for modes in [LEGACY, APP, kitty(1), kitty(31)] {
                let bytes = encode_key(&key, KeyKind::Press, &modes);
                assert_eq!(only_key(&bytes).map(|event| event.key), Some(key), "{bytes:?}");
            }
        }
    }
}

#[test]
fn every_letter_with_case_round_trips() {
    let cased = |c: &char| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]);
    for c in ('\0'..=char::MAX).filter(cased) {
        for bits in 0..16 {
            let key = Key::new(KeyCode::Char(c), Mods::from_bits(bits));
            assert_eq!(Key::new(key.code, key.mods), key, "{key:?}");
            assert_eq!(key.to_string().parse(), Ok(key), "{key:?}");
            // Shift on what has no capital of one character is not told of by a key that just types.
            if key.typed().is_some() && !key.mods.is_empty() {
                continue;
            }
            for flags in [1, 15, 31] {
                let bytes = encode_key(&key, KeyKind::Press, &kitty(flags));
                let shown = String::from_utf8_lossy(&bytes);
                assert_eq!(only_key(&bytes).map(|event| event.key), Some(key), "{flags} {shown:?}");
            }
        }
    }
}

fn any_mouse() -> impl Strategy<Value = MouseEvent> {
    use {MouseButton as B, MouseKind as K};
    let buttons = prop::sample::select(vec![B::Left, B::Middle, B::Right, B::Extra(8), B::Extra(11)]);
    let wheels = prop::sample::select(vec![B::WheelUp, B::WheelDown, B::WheelLeft, B::WheelRight]);
    let kinds = prop::sample::select(vec![K::Press, K::Release, K::Drag]);
    let what = prop_oneof![
        3 => (kinds, buttons),
        1 => wheels.prop_map(|button| (K::Wheel, button)),
        1 => Just((K::Move, B::None)),
    ];
    (what, 0u16..2000, 0u16..2000, 0u8..8).prop_map(|((kind, button), x, y, bits)| MouseEvent {
        kind,
        button,
        x,
        y,
        mods: Mods::from_bits(bits),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// With the whole kitty protocol every key and kind survives the way into a pane and out of its decoder.
    #[test]
    fn kitty_round_trips(
        key in any_key(),
        kind in prop::sample::select(vec![KeyKind::Press, KeyKind::Repeat, KeyKind::Release]),
        text in any::<bool>(),
    ) {
        // Keypad keys come back as main keys; a character in the private area may be the number of another key.
        prop_assume!(!matches!(key.code, KeyCode::Keypad(_)));
        prop_assume!(!matches!(key.code, KeyCode::Char(c) if ('\u{e000}'..='\u{f8ff}').contains(&c)));
        prop_assume!(!matches!(key.code, KeyCode::Other(n) if (57_376..57_388).contains(&n) || (57_399..57_427).contains(&n)));
        let event = only_key(&encode_key(&key, kind, &kitty(if text { 31 } else { 15 })));
        prop_assert_eq!(event.map(|event| (event.key, event.kind)), Some((key, kind)));
    }

    #[test]
    fn disambiguated_presses_round_trip(key in any_key(), flags in prop::sample::select(vec![1u8, 5, 7])) {
        prop_assume!(!matches!(key.code, KeyCode::Keypad(_) | KeyCode::Other(_)));
        prop_assume!(!matches!(key.code, KeyCode::Char(c) if ('\u{e000}'..='\u{f8ff}').contains(&c)));
        // Shift with a character that has no capital types just that character.
        prop_assume!(key.typed().is_none() || key.mods.is_empty());
        let event = only_key(&encode_key(&key, KeyKind::Press, &kitty(flags)));
        prop_assert_eq!(event.map(|event| event.key), Some(key));
    }

    #[test]
    fn modify_other_keys_round_trips(c in prop::char::range(' ', '~'), bits in 0u8..8) {
        let key = Key::new(KeyCode::Char(c), Mods::from_bits(bits));
        // xterm names the shifted character, so Shift with a sign is only in the sign.
        prop_assume!(c.is_ascii_alphabetic() || !key.mods.contains(Mods::SHIFT));
        let event = only_key(&encode_key(&key, KeyKind::Press, &other(2)));
        prop_assert_eq!(event.map(|event| event.key), Some(key));
    }

    #[test]
    fn typed_text_round_trips_in_the_legacy_form(c in any::<char>(), alt in any::<bool>()) {
        prop_assume!(!c.is_control());
        // Alt with these begins a sequence; flushed it is the key, which the decoder's own tests show.
        let key = Key::new(KeyCode::Char(c), if alt { Mods::ALT } else { Mods::NONE });
        let event = only_key(&encode_key(&key, KeyKind::Press, &LEGACY));
        prop_assert_eq!(event.map(|event| event.key), Some(key));
    }

    #[test]
    fn mouse_reports_round_trip(event in any_mouse()) {
        let modes = MouseModes { tracking: MouseTracking::Any, encoding: MouseEncoding::Sgr };
        let bytes = encode_mouse(&event, &modes).unwrap();
        prop_assert_eq!(Decoder::new().feed(&bytes), [Input::Mouse(event)]);
        for encoding in [MouseEncoding::X10, MouseEncoding::Urxvt] {
            if let Some(bytes) = encode_mouse(&event, &MouseModes { encoding, ..modes }) {
                let button = if event.kind == MouseKind::Release { MouseButton::None } else { event.button };
                prop_assert_eq!(Decoder::new().feed(&bytes), [Input::Mouse(MouseEvent { button, ..event })]);
            }
        }
    }

    #[test]
    fn a_bracketed_paste_is_one_paste_for_every_content(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let sent = encode_paste(&bytes, true);
        let inputs = Decoder::new().feed(&sent);
        prop_assert!(matches!(inputs.as_slice(), [Input::Paste(_)]), "{:?}", inputs);
        let plain = encode_paste(&bytes, false);
        prop_assert!(plain.iter().all(|b| *b >= 0x20 && *b != 0x7f || *b == b'\t' || *b == b'\r'));
    }

    #[test]
    fn nothing_panics(key in any_key(), kitty in any::<u8>(), level in 0u8..4, app in any::<bool>()) {
        let modes = KeyModes { app_cursor: app, app_keypad: app, backarrow: app, modify_other_keys: level, kitty };
        for kind in [KeyKind::Press, KeyKind::Repeat, KeyKind::Release] {
            let bytes = encode_key(&key, kind, &modes);
            prop_assert!(kind != KeyKind::Release || kitty & 2 != 0 || bytes.is_empty());
        }
    }
}
