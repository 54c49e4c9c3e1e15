//! When a limit ends, read out of the words in which a CLI or a provider tells it.
//!
//! Pure: the present is an argument. Must not know: whose words they are.
use jiff::{
    Span, Timestamp, ToSpan, Zoned,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// Words after which the time stands.
const MARKS: &[&str] = &["resets", "reset", "again", "retrying", "renews"];
/// No limit of a provider lasts longer; what reads as more was misread.
const LONGEST_DAYS: i64 = 45;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Unix seconds at which the limit told by `words` ends: `resets 3pm (Europe/Berlin)`, `try again at Oct 12th, 2026 9:15
/// PM`, `try again in 3 days 4 hours`, `retrying in 2h 5m`. A clock time is the next one; `None` when no time is told.
pub fn reset(words: &str, now: &Zoned) -> Option<u64> {
    let small = words.to_lowercase();
    let apart = |c: char| c.is_whitespace() || ",()·∙|┃│[]".contains(c);
    let tokens: Vec<&str> = small
        .split(apart)
        .map(|token| token.trim_end_matches(['.', ';']))
        .filter(|t| !t.is_empty())
        .collect();
    let starts = (0..tokens.len()).filter(|at| MARKS.contains(&tokens[*at]));
    let found = starts.filter_map(|at| moment(&tokens[at + 1..], now)).next()?;
    let furthest = now.timestamp() + Span::new().hours(LONGEST_DAYS * 24);
    u64::try_from(found.as_second()).ok().filter(|_| found <= furthest)
}

fn moment(tokens: &[&str], now: &Zoned) -> Option<Timestamp> {
    match tokens {
        ["in" | "after", rest @ ..] => {
            now.timestamp().checked_add(Span::new().milliseconds(length(rest)?)).ok()
        }
        ["at" | "on", rest @ ..] => clock(rest, now),
        rest => clock(rest, now),
    }
}

/// `2h 5m`, `1.5s`, `3 days 4 hours and 5 minutes`, in milliseconds.
fn length(tokens: &[&str]) -> Option<i64> {
    let mut total = 0.0;
    let mut tokens = tokens.iter().filter(|token| **token != "and").peekable();
    while let Some(token) = tokens.next() {
        let digits = token.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(token.len());
        let Ok(count) = token[..digits].parse::<f64>() else { break };
        let unit = match &token[digits..] {
            "" => tokens.next().copied().unwrap_or_default(),
            unit => unit,
        };
        let milliseconds = match unit {
            "ms" => 1.0,
            unit if unit.starts_with('d') => 86_400_000.0,
            unit if unit.starts_with('h') => 3_600_000.0,
            unit if unit.starts_with('m') => 60_000.0,
            unit if unit.starts_with('s') => 1000.0,
            _ => break,
        };
        total += count * milliseconds;
    }
    // What is beyond any limit is cut, so that the number fits.
    (total > 0.0).then_some(total.min(1e12) as i64)
}

/// A time of day, a date, or both, with a time zone's name behind it where it is not the local one.
fn clock(tokens: &[&str], now: &Zoned) -> Option<Timestamp> {
    let mut rest = tokens;
    let dated = date(&mut rest, now);
    if let ["at", more @ ..] = rest {
        rest = more;
    }
    let timed = time(&mut rest);
    if dated.is_none() && timed.is_none() {
        return None;
    }
    let zone = match rest.first() {
        Some(&("utc" | "gmt" | "z")) => TimeZone::UTC,
        // One that this machine does not know leaves the moment unknown.
        Some(name) if name.contains('/') => TimeZone::get(name).ok()?,
        _ => now.time_zone().clone(),
    };
    let here = now.with_time_zone(zone.clone());
    let at = |date: Date| {
        date.to_datetime(timed.unwrap_or(Time::midnight())).to_zoned(zone.clone()).ok().map(|z| z.timestamp())
    };
    match dated {
        Some(date) => at(date),
        None => {
            let today = at(here.date())?;
            if today > here.timestamp() { Some(today) } else { at(here.date().checked_add(1.day()).ok()?) }
        }
    }
}

/// `oct 12th 2026`, `12 october`, `tomorrow`, `monday`; takes its words away.
fn date(tokens: &mut &[&str], now: &Zoned) -> Option<Date> {
    let month = |word: &str| {
        let at = MONTHS.iter().position(|month| word.starts_with(month))?;
        i8::try_from(at + 1).ok()
    };
    let day = |word: &str| word.trim_end_matches(char::is_alphabetic).parse::<i8>().ok();
    let today = now.date();
    let (month, day, taken) = match tokens {
        ["tomorrow", rest @ ..] => {
            *tokens = rest;
            return today.checked_add(1.day()).ok();
        }
        [word, rest @ ..] if weekday(word).is_some() => {
            let next = today.nth_weekday(1, weekday(word)?).ok();
            *tokens = rest;
            return next;
        }
        [first, second, ..] if month(first).is_some() => (month(first)?, day(second)?, 2),
        [first, second, ..] if month(second).is_some() => (month(second)?, day(first)?, 2),
        _ => return None,
    };
    let year = tokens.get(taken).filter(|word| word.len() == 4).and_then(|word| word.parse::<i16>().ok());
    let dated = Date::new(year.unwrap_or(today.year()), month, day).ok();
    // A day that there is not takes its time of day along: nothing is left to read.
    *tokens = dated.map_or(&[], |_| &tokens[taken + usize::from(year.is_some())..]);
    let dated = dated?;
    // Without a year it is the next such day.
    if year.is_none() && dated < today { Date::new(today.year() + 1, month, day).ok() } else { Some(dated) }
}

fn weekday(word: &str) -> Option<Weekday> {
    let days = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let at =
        names.iter().position(|name| word == *name || word.starts_with(name) && word.ends_with("day"))?;
    Some(days[at])
}

/// `3pm`, `9:15 pm`, `15:30`; takes its words away.
fn time(tokens: &mut &[&str]) -> Option<Time> {
    let (first, mut rest) = tokens.split_first()?;
    let (digits, mut half) = match first.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => (&first[..at], first[at..].to_owned()),
        None => (*first, String::new()),
    };
    if half.is_empty()
        && let [word @ ("am" | "pm" | "a.m" | "p.m"), more @ ..] = rest
    {
        half = (*word).to_owned();
        rest = more;
    }
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, ""));
    // A bare number is no time.
    if minute.is_empty() && half.is_empty() {
        return None;
    }
    let mut hour: i8 = hour.parse().ok()?;
    let minute: i8 = if minute.is_empty() { 0 } else { minute.get(..2)?.parse().ok()? };
    match half.chars().next() {
        Some('p') if hour < 12 => hour += 12,
        Some('a') if hour == 12 => hour = 0,
        Some('a' | 'p') | None => {}
        Some(_) => return None,
    }
    let time = Time::new(hour, minute, 0, 0).ok()?;
    *tokens = rest;
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Friday, an hour ahead of UTC.
    fn now() -> Zoned {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        "2026-11-20T13:30:00Z".parse::<Timestamp>().unwrap().to_zoned(zone)
    }

    fn read(words: &str) -> Option<String> {
        let at = reset(words, &now())?;
        let at = Timestamp::from_second(at.cast_signed()).unwrap();
        Some(at.to_zoned(now().time_zone().clone()).strftime("%m-%d %H:%M").to_string())
    }

    #[test]
    fn the_vendors_ways_of_saying_it_are_read() {
        for (words, wanted) in [
            ("You've hit your limit · resets 3pm", "11-20 15:00"),
            ("You've hit your limit · resets 2pm", "11-21 14:00"),
            ("You've hit your weekly limit · resets Nov 24, 9am", "11-24 09:00"),
            ("You've hit your usage limit. Upgrade to Pro or try again at 9:15 PM.", "11-20 21:15"),
            ("You've hit your usage limit, try again at Nov 22nd, 2026 9:15 AM.", "11-22 09:15"),
            ("You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.", "11-23 18:35"),
            ("Usage limit reached for all Pro models. Access resets at 15:30 UTC.", "11-20 16:30"),
            ("mock 429 quota [retrying in 2h 5m attempt #2]", "11-20 16:35"),
            ("Rate limit reached for tokens per min: Limit 1. Try again in 90s.", "11-20 14:31"),
            ("limit resets tomorrow at 8am", "11-21 08:00"),
            ("limit resets on Monday 12am", "11-23 00:00"),
            ("weekly limit, resets Jan 2 at 7:00", "01-02 07:00"),
        ] {
            assert_eq!(read(words).as_deref(), Some(wanted), "{words}");
        }
    }

    #[test]
    fn a_zone_is_believed_where_the_machine_knows_it() {
        let wanted = TimeZone::get("Europe/London").is_ok().then_some("11-20 16:45".to_owned());
        assert_eq!(read("5-hour limit reached ∙ resets 3:45pm (Europe/London)"), wanted);
        assert_eq!(read("resets 3:45pm (Nowhere/Near)"), None);
    }

    #[test]
    fn without_a_time_none_is_made_up() {
        for words in [
            "Usage limit reached for all Pro models.",
            "it resets the counter",
            "429 mock · retrying in a moment · attempt 4/10",
            "try again later",
            "resets 3",
            "try again in 400 days",
            "resets 25:99",
            "resets at 9:é",
            "again feb 31 9am",
            "",
        ] {
            assert_eq!(read(words), None, "{words}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_words_are_too_much(words in "(resets|again|in|at|nov|[0-9]{1,12}|[ap]m|:|h|\\PC){0,12}") {
            let _ = reset(&words, &now());
            let _ = reset(&words.replace(|c: char| !c.is_alphanumeric(), " "), &now());
        }
    }
}
