use super::*;
use std::fs;

fn from(text: &str) -> (Theme, Vec<Problem>) {
    Theme::resolve("mine", &|name| Ok((name == "mine").then(|| ("mine.toml".to_owned(), text.to_owned()))))
}

fn rgb(colour: Option<Color>) -> (u8, u8, u8) {
    match colour {
        Some(Color::Rgb(r, g, b)) => (r, g, b),
        other => panic!("{other:?} is not 24-bit"),
    }
}

/// WCAG 2 contrast ratio, 1 to 21.
fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let luminance = |(r, g, b): (u8, u8, u8)| {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    };
    let (high, low) = (luminance(a).max(luminance(b)), luminance(a).min(luminance(b)));
    (high + 0.05) / (low + 0.05)
}

#[test]
fn every_file_in_themes_is_embedded_whole_and_without_fault() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
    let mut seen = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(BUILTIN.iter().find(|(known, _)| *known == name).unwrap().1, text, "{name} is embedded");
        let (theme, problems) = Theme::load(&name, Path::new("/nowhere"));
        assert_eq!(problems, [], "{name}");
        let table: toml::Table = text.parse().unwrap();
        for (role, key) in Role::all() {
            let section = if Role::EXECUTORS.contains(&(role, key)) { "executors" } else { "roles" };
            assert!(table[section].get(key).is_some(), "{name}: {section}.{key}");
            assert!(theme.styles.contains_key(&role), "{name}: {key}");
        }
        for colour in table.get("palette").and_then(|p| p.as_table()).into_iter().flat_map(|p| p.keys()) {
            assert!(text.matches(&format!("\"{colour}\"")).count() > 0, "{name}: {colour} is used");
        }
        seen += 1;
    }
    assert_eq!(seen, BUILTIN.len());
}

#[test]
fn the_default_uses_the_terminals_sixteen_colours_only() {
    for (role, style) in &Theme::default().styles {
        for colour in [style.fg, style.bg].into_iter().flatten() {
            assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{role:?}");
        }
    }
}

#[test]
fn the_24_bit_themes_can_be_read_on_their_backgrounds() {
    for (name, backgrounds) in [
        ("dark", [(0x00, 0x00, 0x00), (0x1e, 0x22, 0x2a)]),
        ("light", [(0xff, 0xff, 0xff), (0xfa, 0xf6, 0xec)]),
        ("catppuccin", [(0x1e, 0x1e, 0x2e); 2]),
        ("dracula", [(0x28, 0x2a, 0x36); 2]),
        ("gruvbox", [(0x28, 0x28, 0x28); 2]),
        ("gruvbox-light", [(0xfb, 0xf1, 0xc7); 2]),
        ("nord", [(0x2e, 0x34, 0x40); 2]),
        ("solarized-dark", [(0x00, 0x2b, 0x36); 2]),
        ("solarized-light", [(0xfd, 0xf6, 0xe3); 2]),
        ("tokyo-night", [(0x1a, 0x1b, 0x26); 2]),
    ] {
        let (theme, _) = Theme::load(name, Path::new("/nowhere"));
        for (role, key) in Role::all() {
            let style = theme.style(role);
            let least = match role {
                // Frames carry no words.
                Role::Border => 1.5,
                _ => 4.5,
            };
            let behind = if style.bg.is_some() { vec![rgb(style.bg)] } else { backgrounds.to_vec() };
            for background in behind {
                let ratio = contrast(rgb(style.fg), background);
                assert!(ratio >= least, "{name}: {key} has {ratio:.2} on {background:?}");
            }
        }
    }
}

#[test]
fn a_theme_changes_only_what_it_says() {
    let (theme, problems) = from(
        "inherits = \"dark\"\n[palette]\nsky = \"#010203\"\nown = \"#040506\"\n[roles]\nok = \"own\"\n\
         err = { fg = \"sky\", bg = \"1\", modifiers = [\"italic\", \"reversed\"] }\n",
    );
    assert_eq!(problems, []);
    let (dark, _) = Theme::load("dark", Path::new("/nowhere"));
    assert_eq!(theme.style(Role::Ok), Style::new().fg(Color::Rgb(4, 5, 6)));
    let err = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(1));
    assert_eq!(theme.style(Role::Err), err.add_modifier(Modifier::ITALIC | Modifier::REVERSED));
    assert_eq!(theme.style(Role::Accent), dark.style(Role::Accent));
    assert_eq!(theme.executor(&ExecutorId::CODEX), dark.executor(&ExecutorId::CODEX));
}

#[test]
fn faults_name_line_and_nearest_and_leave_the_style() {
    for (text, line, key, near) in [
        ("[roles]\nacent = \"red\"\n", 2, "roles.acent", Some("accent")),
        ("[roles]\naccent = \"rde\"\n", 2, "roles.accent", None),
        ("[palette]\ncoral = \"#ff7f50\"\n[roles]\naccent = \"corall\"\n", 4, "roles.accent", Some("coral")),
        (
            "[roles]\naccent = { fg = \"red\", modifiers = [\"blod\"] }\n",
            2,
            "roles.accent.modifiers",
            Some("bold"),
        ),
        ("[roles]\naccent = { modifier = [] }\n", 2, "roles.accent.modifier", Some("modifiers")),
        ("[palette]\nx = 7\n", 2, "palette.x", None),
        ("[executors]\ncluade = \"red\"\n", 2, "executors.cluade", Some("claude")),
        ("[rolls]\n", 1, "rolls", Some("roles")),
        ("inherits = \"darc\"\n", 0, "inherits", Some("dark")),
        ("[roles\n", 1, "", None),
    ] {
        let (theme, problems) = from(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!((problems[0].line, problems[0].key.as_str()), (line, key), "{text}");
        assert_eq!(problems[0].nearest.as_deref(), near, "{text}");
        assert_eq!(theme, Theme::default(), "{text}");
    }
}

#[test]
fn circles_end() {
    let (theme, problems) = Theme::resolve("a", &|name| {
        let other = if name == "a" { "b" } else { "a" };
        Ok(Some((format!("{name}.toml"), format!("inherits = \"{other}\"\n"))))
    });
    assert_eq!(theme, Theme::default());
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("circle"), "{problems:?}");
}

#[test]
fn a_users_theme_wins_over_a_builtin_of_its_name_and_may_build_on_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dark.toml"), "inherits = \"dark\"\n[roles]\nok = \"blue\"\n").unwrap();
    let (theme, problems) = Theme::load("dark", dir.path());
    assert_eq!(problems, []);
    assert_eq!(theme.style(Role::Ok).fg, Some(Color::Blue));
    let (builtin, _) = Theme::load("dark", Path::new("/nowhere"));
    assert_eq!(theme.style(Role::Warn), builtin.style(Role::Warn));
}

#[test]
fn an_unknown_theme_is_said_and_the_terminals_holds() {
    for name in ["lihgt", "../../etc/passwd", ""] {
        let (theme, problems) = Theme::load(name, Path::new("/nowhere"));
        assert_eq!(theme, Theme::default());
        assert_eq!(problems.len(), 1, "{name}");
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_meanings_still_differ() {
    let theme = Theme::without_colour();
    for (role, _) in Role::all() {
        assert_eq!((theme.style(role).fg, theme.style(role).bg), (None, None));
    }
    for (a, b) in [(Role::Text, Role::Dim), (Role::Text, Role::Err), (Role::Border, Role::BorderFocus)] {
        assert_ne!(theme.style(a), theme.style(b));
    }
    assert_ne!(theme.style(Role::Selection), theme.style(Role::Text));
}
