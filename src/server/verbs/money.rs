//! Verbs about model requests and what they cost: usage, requests.
use super::Answer;
use crate::{
    commands::{MoneyVerb, Target, UsageBy},
    gateway::LedgerRow,
    record::{self, UsageRow},
    server::{
        Server,
        reply::{Failure, Reply},
    },
    state::target::Origin,
    ui::dollars,
};
use serde_json::{Value, json};

/// Columns of the chart's longest bar.
const BAR: usize = 24;

/// Columns of a row's name; longer ones are cut, since a model's full name stands in the JSON.
const NAME: usize = 26;

/// A unit of the ledger's figures and how it is written.
struct Money {
    credits_per_usd: u64,
}

impl Money {
    fn credits(&self, usd: f64) -> f64 {
        // Hundredths of a credit are noise of the list prices.
        (usd * self.credits_per_usd as f64 * 100.0).round() / 100.0
    }
}

impl Server {
    pub(super) fn money_verb(
        &mut self,
        verb: MoneyVerb,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        match verb {
            MoneyVerb::Usage { by, json } => self.usage_verb(by, json, origin, reply),
            MoneyVerb::Requests { target, count, open, json } => {
                self.requests_verb(&target, count, open, json, origin, reply)
            }
        }
    }

    /// Sums of the ledger, which its writer adds up.
    fn usage_verb(&self, by: UsageBy, as_json: bool, origin: &Origin, reply: &mut Option<Reply>) -> Answer {
        let asked = match by {
            UsageBy::Pane => record::UsageBy::Pane,
            UsageBy::Session => record::UsageBy::Session,
            UsageBy::Model => record::UsageBy::Model,
            UsageBy::Payer => record::UsageBy::Payer,
            UsageBy::Day => record::UsageBy::Day,
        };
        let money = Money { credits_per_usd: self.settings.credits_per_usd };
        self.ask_record(
            move |recorder| recorder.usage_by(asked),
            origin,
            reply,
            move |server, rows| {
                let label = |key: &str| match server.state.pane_by_key(key) {
                    Some(pane) => pane.id.to_string(),
                    None if key.is_empty() => "(not noted)".to_owned(),
                    None => key.to_owned(),
                };
                if as_json { usage_json(&rows, label, &money) } else { usage(&rows, label, &money) }
            },
        )
    }

    fn requests_verb(
        &self,
        target: &Target,
        count: u16,
        open: Option<u16>,
        as_json: bool,
        origin: &Origin,
        reply: &mut Option<Reply>,
    ) -> Answer {
        let id = self.state.find_pane(target.target.as_deref(), origin)?;
        let key = self.state.panes.get(&id).map(|pane| pane.key.clone()).unwrap_or_default();
        let wanted = usize::from(open.unwrap_or(count));
        let money = Money { credits_per_usd: self.settings.credits_per_usd };
        self.ask_record_or(
            move |recorder| recorder.requests(&key, wanted),
            origin,
            reply,
            move |_, rows| match open {
                Some(n) => match rows.get(usize::from(n) - 1) {
                    Some(row) if as_json => Ok(pretty(&request_json(row, &money))),
                    Some(row) => Ok(opened(row, &money)),
                    None => Err(Failure::Failed(format!("{id} has {} requests in the ledger", rows.len()))),
                },
                None if as_json => {
                    Ok(pretty(&rows.iter().map(|row| request_json(row, &money)).collect::<Vec<_>>().into()))
                }
                None => Ok(listed(&rows)),
            },
        )
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn usage_json(rows: &[UsageRow], label: impl Fn(&str) -> String, money: &Money) -> String {
    let row = |r: &UsageRow| {
        json!({
            "key": label(&r.key), "requests": r.requests, "failed": r.failed, "input": r.input,
            "cache_read": r.cache_read, "cache_write": r.cache_write, "output": r.output, "cost": r.cost,
            "credits": r.cost.map(|usd| money.credits(usd)), "unpriced": r.unpriced,
        })
    };
    pretty(&rows.iter().map(row).collect::<Vec<_>>().into())
}

/// A table whose last column is a chart: of the cost, or of the tokens where nothing cost anything.
fn usage(rows: &[UsageRow], label: impl Fn(&str) -> String, money: &Money) -> String {
    if rows.is_empty() {
        return "no request yet\n".to_owned();
    }
    let tokens = |r: &UsageRow| r.input + r.cache_read + r.cache_write + r.output;
    let priced = rows.iter().any(|row| row.cost.is_some_and(|usd| usd > 0.0));
    let height = |row: &UsageRow| if priced { row.cost.unwrap_or_default() } else { tokens(row) as f64 };
    let most = rows.iter().map(height).fold(0.0, f64::max);
    let mut text = format!(
        "{:<NAME$} {:>8} {:>6} {:>10} {:>10} {:>9} {:>10} {:>9}\n",
        "", "requests", "failed", "in", "cached", "out", "cost", "credits"
    );
    let mut line = |name: &str, row: &UsageRow, bar: &str| {
        let cost = row.cost.map_or_else(|| "unknown".to_owned(), dollars);
        let credits = row.cost.map_or_else(|| "—".to_owned(), |usd| format!("{}", money.credits(usd)));
        let input = row.input + row.cache_read + row.cache_write;
        let line = format!(
            "{:<NAME$} {:>8} {:>6} {:>10} {:>10} {:>9} {:>10} {:>9}  {bar}",
            clipped(name),
            row.requests,
            row.failed,
            input,
            row.cache_read,
            row.output,
            cost,
            credits,
        );
        text.push_str(line.trim_end());
        text.push('\n');
    };
    for row in rows {
        line(&label(&row.key), row, &bar(height(row), most));
    }
    let mut sum = UsageRow { key: String::new(), ..rows[0].clone() };
    for row in &rows[1..] {
        sum.requests += row.requests;
        sum.failed += row.failed;
        sum.input += row.input;
        sum.cache_read += row.cache_read;
        sum.cache_write += row.cache_write;
        sum.output += row.output;
        sum.unpriced += row.unpriced;
        sum.cost = match (sum.cost, row.cost) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default() + b.unwrap_or_default()),
        };
    }
    if rows.len() > 1 {
        line("together", &sum, "");
    }
    if sum.unpriced > 0 {
        let requests =
            if sum.unpriced == 1 { "1 request has" } else { &format!("{} requests have", sum.unpriced) };
        text.push_str(&format!("{requests} no known price and are not in the cost\n"));
    }
    text
}

/// A bar of eighths of a column.
fn bar(height: f64, most: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if most <= 0.0 {
        return String::new();
    }
    // Whatever cost anything is seen.
    let eighths = ((height / most * (BAR * 8) as f64).round() as usize).max(usize::from(height > 0.0));
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn clipped(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

fn listed(rows: &[LedgerRow]) -> String {
    if rows.is_empty() {
        return "no request yet\n".to_owned();
    }
    let mut text = format!(
        "{:>3} {:<8} {:<8} {:<24} {:>9} {:>7} {:>9} {:>8} {:>5}  {}\n",
        "", "at", "for", "model", "in", "out", "cost", "took", "tries", "end"
    );
    for (n, row) in rows.iter().enumerate() {
        let end = match (row.error.is_empty(), row.notes.len()) {
            (false, _) => format!("{} {}", row.status, row.error),
            (true, 0) => row.status.to_string(),
            (true, notes) => format!("{}, {notes} notes", row.status),
        };
        text.push_str(&format!(
            "{:>3} {:<8} {:<8} {:<24} {:>9} {:>7} {:>9} {:>8} {:>5}  {}\n",
            n + 1,
            clock(row.at_ms),
            row.class,
            clipped(model(row)).chars().take(24).collect::<String>(),
            row.input + row.cache_read + row.cache_write,
            row.output,
            row.cost.map_or_else(|| "unknown".to_owned(), dollars),
            format!("{:.1} s", row.total_ms as f64 / 1000.0),
            row.attempts,
            crate::handoff::clip(&end, 160).replace('\n', " "),
        ));
    }
    text.push_str("--open N shows all of one\n");
    text
}

/// The model that answered, else the one that was asked.
fn model(row: &LedgerRow) -> &str {
    [&row.model_served, &row.model_sent, &row.model_asked]
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or("", String::as_str)
}

fn clock(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn opened(row: &LedgerRow, money: &Money) -> String {
    let at = jiff::Timestamp::from_millisecond(row.at_ms).unwrap_or_default();
    let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let cost = match row.cost {
        None => "unknown: no list names the model".to_owned(),
        Some(usd) => {
            let source = match row.cost_source.as_str() {
                "upstream" => "the upstream's own figure",
                "list" => "list prices of the tokens",
                _ => "nothing was used",
            };
            format!("{} · {} credits · {source}", dollars(usd), money.credits(usd))
        }
    };
    let way = if row.dialect == row.upstream_dialect {
        format!("{} (bytes unchanged)", row.dialect)
    } else {
        format!("{} → {} (translated)", row.dialect, row.upstream_dialect)
    };
    let mut lines = vec![
        ("at", at),
        ("for", format!("{} of {} in session {}", row.class, row.executor, row.session)),
        ("asked for", row.model_asked.clone()),
        ("sent as", format!("{} to {}", row.model_sent, row.provider)),
        ("served by", row.model_served.clone()),
        ("dialect", way),
        ("paid by", row.payer.clone()),
        ("credential", row.credential.clone()),
        (
            "tokens",
            format!(
                "{} in, {} from cache, {} into cache, {} out",
                row.input, row.cache_read, row.cache_write, row.output
            ),
        ),
        ("cost", cost),
        ("took", format!("{} ms, first byte after {} ms", row.total_ms, row.first_byte_ms)),
        ("attempts", row.attempts.to_string()),
        ("status", row.status.to_string()),
        ("error", row.error.clone()),
    ];
    lines.extend(
        row.notes.iter().enumerate().map(|(n, note)| (if n == 0 { "notes" } else { "" }, note.clone())),
    );
    lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label:<11} {value}\n"))
        .collect()
}

fn request_json(row: &LedgerRow, money: &Money) -> Value {
    json!({
        "at_ms": row.at_ms, "session": row.session, "executor": row.executor, "class": row.class,
        "model_asked": row.model_asked, "model_sent": row.model_sent, "model_served": row.model_served,
        "provider": row.provider, "payer": row.payer, "credential": row.credential, "dialect": row.dialect,
        "upstream_dialect": row.upstream_dialect, "status": row.status, "input": row.input,
        "cache_read": row.cache_read, "cache_write": row.cache_write, "output": row.output, "cost": row.cost,
        "cost_source": row.cost_source, "credits": row.cost.map(|usd| money.credits(usd)),
        "first_byte_ms": row.first_byte_ms, "total_ms": row.total_ms, "attempts": row.attempts,
        "error": row.error, "notes": row.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONEY: Money = Money { credits_per_usd: 100 };

    fn row(key: &str, cost: Option<f64>, unpriced: u64) -> UsageRow {
        UsageRow {
            key: key.into(),
            requests: 2,
            failed: 1,
            input: 1000,
            cache_read: 200,
            cache_write: 30,
            output: 70,
            cost,
            unpriced,
        }
    }

    #[test]
    fn usage_is_a_table_with_a_chart() {
        let rows = [row("opus", Some(1.0), 0), row("haiku", Some(0.26), 1), row("nobody", None, 2)];
        insta::assert_snapshot!(usage(&rows, str::to_owned, &MONEY), @r"
                                   requests failed         in     cached       out       cost   credits
        opus                              2      1       1230        200        70      $1.00       100  ████████████████████████
        haiku                             2      1       1230        200        70      $0.26        26  ██████▎
        nobody                            2      1       1230        200        70    unknown         —
        together                          6      3       3690        600       210      $1.26       126
        3 requests have no known price and are not in the cost
        ");
    }

    #[test]
    fn without_a_cost_the_chart_shows_tokens() {
        let text = usage(&[row("rehearsal", Some(0.0), 0)], str::to_owned, &MONEY);
        assert!(text.contains(&"█".repeat(BAR)), "{text}");
        assert!(!text.contains("together"));
        assert_eq!(usage(&[], str::to_owned, &MONEY), "no request yet\n");
    }

    #[test]
    fn a_request_tells_what_was_left_out() {
        let row = LedgerRow {
            class: "main".into(),
            executor: "claude".into(),
            session: "shop".into(),
            model_asked: "claude-sonnet-4-6".into(),
            model_sent: "gpt-5.4".into(),
            provider: "openai".into(),
            dialect: "messages".into(),
            upstream_dialect: "responses".into(),
            status: 200,
            cost: Some(0.0123),
            cost_source: "list".into(),
            attempts: 2,
            notes: vec!["top_k: left out".into(), "cache_control: left out".into()],
            ..LedgerRow::default()
        };
        let text = opened(&row, &MONEY);
        let text = text.split_once('\n').unwrap().1;
        insta::assert_snapshot!(text, @r"
        for         main of claude in session shop
        asked for   claude-sonnet-4-6
        sent as     gpt-5.4 to openai
        dialect     messages → responses (translated)
        tokens      0 in, 0 from cache, 0 into cache, 0 out
        cost        $0.01 · 1.23 credits · list prices of the tokens
        took        0 ms, first byte after 0 ms
        attempts    2
        status      200
        notes       top_k: left out
                    cache_control: left out
        ");
        assert!(listed(&[row]).contains("200, 2 notes"));
    }
}
