use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1000;

fn pool(members: usize) -> Pool {
    let mut pool = Pool::default();
    pool.set_members(&(0..members).map(name).collect::<Vec<_>>());
    pool
}

fn name(member: usize) -> String {
    format!("env:K{member}")
}

fn used(pool: &mut Pool, session: &str, now: u64) -> usize {
    pool.choose(session, now, &[]).unwrap().member
}

#[test]
fn an_empty_pool_has_nothing_to_give() {
    assert_eq!(pool(0).choose("s", 0, &[]), None);
}

#[test]
fn sessions_spread_and_stay_where_they_are() {
    let mut pool = pool(2);
    assert_eq!(used(&mut pool, "a", 0), 0);
    assert_eq!(used(&mut pool, "b", 1), 1);
    assert_eq!(used(&mut pool, "c", 2), 0);
    for now in 3..20 {
        assert_eq!((used(&mut pool, "a", now), used(&mut pool, "b", now)), (0, 1));
    }
}

#[test]
fn a_failed_credential_is_left_and_the_change_says_why() {
    let mut pool = pool(2);
    used(&mut pool, "a", 0);
    pool.report(&name(0), Outcome::Limited(None), 10);
    let choice = pool.choose("a", 11, &[]).unwrap();
    assert_eq!(choice, Choice { member: 1, from: Some((0, Outcome::Limited(None))), rests: None });
    // It stays with the new one, whose caches are warm now, after the first is awake again.
    assert_eq!(pool.choose("a", 60 * SECOND, &[]).unwrap(), Choice { member: 1, from: None, rests: None });
}

#[test]
fn rest_doubles_from_five_seconds_to_five_minutes_and_a_success_forgives() {
    let mut pool = pool(1);
    let mut now = 0;
    let mut rests = Vec::new();
    for _ in 0..9 {
        pool.report(&name(0), Outcome::Overloaded(None), now);
        let rest = pool.members()[0].1.rests(now).unwrap();
        rests.push(rest.as_secs());
        now += rest.as_millis() as u64;
    }
    assert_eq!(rests, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    pool.report(&name(0), Outcome::Ok, now);
    assert_eq!(pool.members()[0].1, Health::default());
}

#[test]
fn the_upstreams_own_wish_wins_shorter_or_longer() {
    for (wish, seconds) in [(1, 1), (3600, 3600), (7 * 86_400, 86_400)] {
        let mut pool = pool(1);
        pool.report(&name(0), Outcome::Limited(Some(Duration::from_secs(wish))), 0);
        assert_eq!(pool.members()[0].1.rests(0), Some(Duration::from_secs(seconds)));
    }
}

#[test]
fn a_burst_of_failures_is_one_failure_and_a_late_success_ends_no_rest() {
    let mut pool = pool(1);
    for now in 0..5 {
        pool.report(&name(0), Outcome::Limited(None), now);
    }
    assert_eq!(pool.members()[0].1.failures, 1);
    pool.report(&name(0), Outcome::Ok, 6);
    assert_eq!(pool.members()[0].1.until_ms, 5 * SECOND);
    // But a wish that comes later in the burst is heard.
    pool.report(&name(0), Outcome::Limited(Some(Duration::from_secs(60))), 10);
    assert_eq!(pool.members()[0].1.until_ms, 60 * SECOND + 10);
}

#[test]
fn when_all_rest_the_first_to_wake_is_named_with_its_time() {
    let mut pool = pool(3);
    for (member, wish) in [(0, 30), (1, 10), (2, 20)] {
        pool.report(&name(member), Outcome::Limited(Some(Duration::from_secs(wish))), 0);
    }
    let choice = pool.choose("a", SECOND, &[]).unwrap();
    assert_eq!((choice.member, choice.rests), (1, Some(Duration::from_secs(9))));
}

#[test]
fn members_that_stay_keep_their_standing_and_their_sessions() {
    let mut pool = pool(3);
    used(&mut pool, "a", 0);
    used(&mut pool, "b", 0);
    used(&mut pool, "c", 0);
    pool.report(&name(2), Outcome::Unauthorized, 0);
    pool.set_members(&[name(2), name(1), "env:NEW".into()]);
    assert_eq!(pool.members()[0].1.trouble, Some(Outcome::Unauthorized));
    assert_eq!(used(&mut pool, "b", 1), 1, "where it was, under its new number");
    let choice = pool.choose("a", 1, &[]).unwrap();
    assert_eq!((choice.member, choice.from), (2, None), "its credential is gone: it begins anew");
}

#[test]
fn statuses_that_say_nothing_of_a_credential_are_none() {
    for (status, outcome) in [
        (200, Some(Outcome::Ok)),
        (400, None),
        (401, Some(Outcome::Unauthorized)),
        (403, None),
        (404, None),
        (429, Some(Outcome::Limited(None))),
        (500, None),
        (503, Some(Outcome::Overloaded(None))),
        (529, Some(Outcome::Overloaded(None))),
    ] {
        assert_eq!(Outcome::of_status(status, None), outcome, "{status}");
    }
}

#[test]
fn sessions_are_bounded_and_the_longest_silent_one_is_forgotten() {
    let mut pool = pool(2);
    for n in 0..SESSIONS_MAX + 10 {
        used(&mut pool, &n.to_string(), n as u64);
    }
    assert_eq!(pool.sessions.len(), SESSIONS_MAX);
    assert!(!pool.sessions.contains_key("0") && pool.sessions.contains_key(&(SESSIONS_MAX + 9).to_string()));
}

#[derive(Clone, Debug)]
enum Step {
    Choose(u8),
    Report(u8, Outcome),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let wish = proptest::option::of((0u64..400).prop_map(Duration::from_secs));
    let outcome = prop_oneof![
        Just(Outcome::Ok),
        wish.clone().prop_map(Outcome::Limited),
        wish.prop_map(Outcome::Overloaded),
        Just(Outcome::Unauthorized),
    ];
    prop_oneof![
        (0u8..6).prop_map(Step::Choose),
        (0u8..4, outcome).prop_map(|(member, outcome)| Step::Report(member, outcome)),
        (0u32..400_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened: a resting credential is used only when all rest, a session moves only away from one that
    /// rests, and a move is always said.
    #[test]
    fn a_session_moves_only_for_a_reason(members in 1usize..4, steps in proptest::collection::vec(step(), 1..80)) {
        let mut pool = pool(members);
        let mut now = 0u64;
        let mut at: HashMap<u8, usize> = HashMap::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now += u64::from(ms),
                Step::Report(member, outcome) => pool.report(&name(usize::from(member)), outcome, now),
                Step::Choose(session) => {
                    let rests: Vec<bool> = pool.members().iter().map(|(_, h)| h.rests(now).is_some()).collect();
                    let choice = pool.choose(&session.to_string(), now, &[]).unwrap();
                    prop_assert_eq!(choice.rests.is_some(), rests[choice.member]);
                    prop_assert!(!rests[choice.member] || rests.iter().all(|rests| *rests));
                    let before = at.insert(session, choice.member);
                    let moved = before.filter(|before| *before != choice.member);
                    prop_assert_eq!(choice.from.map(|(from, _)| from), moved);
                    prop_assert!(moved.is_none_or(|from| rests[from]));
                }
            }
            for (_, health) in pool.members() {
                prop_assert!(health.rests(now).is_none_or(|rest| rest <= RETRY_AFTER_MAX));
                prop_assert_eq!(health.failures == 0, health.trouble.is_none());
            }
        }
    }
}
