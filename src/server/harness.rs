//! Harnesses in panes: plan, launch, route table, what the gateway tells.
use super::{
    Server,
    controlling::Control,
    panes::{Launch, ended_well, exit_words, fresh_screen},
    reply::{Failure, Reply},
};
use crate::{
    commands::{self, What},
    config::AutoInstall,
    executors::{
        self, AgentPlaces, Class, Executor, Found, GatewayAccess, Home, LaunchRequest, SessionChoice,
    },
    handoff::Conversation,
    mux::PaneId,
    router::{AuthMode, ExecutorId, Facts, PlanRequest, Provider, Refusal, Route, plan, short_credential},
    state::{Harness, Manner, Parked, Permission, Status, StatusReport, StatusSource},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A harness that was asked to start in a pane.
#[derive(Clone, Debug)]
pub struct Start {
    /// The answer of planning.
    pub route: Route,
    /// How much it may do without asking.
    pub permission: Permission,
    /// New or resumed native session.
    pub session: SessionChoice,
    /// The first prompt.
    pub prompt: Option<String>,
    /// Every route of the session goes to rehearsal.
    pub rehearse: bool,
    /// The person trusts the directory.
    pub trusted: bool,
    /// Install the CLI in the pane first when it is missing.
    pub install: bool,
    /// As what and how hard it works.
    pub manner: Manner,
}

/// The loop's side of a harness.
#[derive(Default)]
pub struct Runtime {
    /// Names the pane at the gateway.
    pub token: String,
    /// The CLI's own configuration home.
    pub config_home: PathBuf,
    /// Requests under way, by the gateway's number.
    pub in_flight: BTreeMap<u64, Class>,
    /// What was said so far, as the newest `Main` request showed it, the answer behind it added.
    pub conversation: Arc<Conversation>,
    /// The conversation as it was when the last turn ended: under `login` whatever was said since is of the next turn,
    /// however often the CLI's records were read meanwhile.
    pub ended_with: Arc<Conversation>,
    /// The newest answer.
    pub last_answer: String,
    /// Prompts to be typed, one each time the CLI takes one.
    pub pending: VecDeque<String>,
    /// A `Main` request came since the launch.
    pub heard: bool,
    /// The final answer was given; the CLI has not been seen idle since.
    pub answered_last: bool,
    /// Ended turns.
    pub turns: u64,
    /// When the newest `Main` answer called tools, until the request that tells how they went.
    pub tools_called: Option<Instant>,
    /// What each source said last, and when (unix seconds).
    pub observed: BTreeMap<StatusSource, (StatusReport, u64)>,
    /// Commands that wait for the end of a turn.
    pub waiters: Vec<Waiter>,
    /// The wire id that the harness names, as far as it is known.
    pub launched: Option<String>,
    /// Files that the launch generated.
    pub files: Vec<Generated>,
    /// What the person wrote and its CLI cannot be given.
    pub unmapped: Vec<String>,
    /// Why the newest `Main` request failed, until another begins.
    pub failed: Option<String>,
    /// When it failed: a CLI that tries again says so a moment later.
    pub failed_at: Option<Instant>,
    /// When the process was started.
    pub started: Option<SystemTime>,
    /// When the prompt was submitted that should be seen working by now.
    pub submitted: Option<Instant>,
    /// How the newest failure stands in the way of further work, until another request is served.
    pub blocked: Option<super::limits::Blocked>,
    /// The words in which a limit was told and when it ends by them (unix seconds): a clock time means the day on which
    /// it was first read.
    pub limit_said: Option<(String, u64)>,
    /// Another way on was offered since it last worked.
    pub offered: bool,
    /// The native session that the launch goes on with.
    pub resumed: Option<String>,
    /// Its typed protocol, where it has one.
    pub(super) control: Control,
}

/// A file or link that a launch generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Where it is.
    pub path: PathBuf,
    /// What it leads to, when it is a link.
    pub target: Option<PathBuf>,
    /// Where what it holds was written; empty for what the launch itself needs.
    pub sources: Vec<String>,
}

impl Generated {
    /// Everything that a plan generates.
    fn of(plan: &executors::LaunchPlan) -> Vec<Self> {
        let made = |path: &PathBuf, target: Option<PathBuf>| {
            let mut sources: Vec<String> =
                plan.sources.iter().filter(|(of, _)| of == path).map(|(_, source)| source.clone()).collect();
            sources.dedup();
            Self { path: path.clone(), target, sources }
        };
        let files = plan.files.iter().map(|file| made(&file.path, None));
        files.chain(plan.links.iter().map(|link| made(&link.path, Some(link.target.clone())))).collect()
    }
}

/// A command that waits until its prompt was answered.
#[derive(Debug)]
pub struct Waiter {
    /// Which wait, for its time limit: no other one of this pane has it, also of a harness after this.
    pub id: uuid::Uuid,
    /// Turns that had ended when the prompt was submitted.
    pub turns: u64,
    /// The prompt; a turn that was already running when it came ends first.
    pub prompt: String,
    /// Where the answer goes.
    pub reply: Reply,
}

impl Waiter {
    /// Whether the turn that just ended answered this prompt.
    fn answered(&self, turns: u64, conversation: &Conversation) -> bool {
        /// Prompts are compared by their words; a CLI may wrap or trim them.
        fn words(text: &str) -> String {
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        let asked = words(&self.prompt);
        // Without a view of the conversation (under `login`) the next turn's end has to do.
        let newest = conversation.last_request().filter(|r| !crate::handoff::is_handoff(r));
        turns > self.turns
            && (conversation.turns.is_empty() || newest.is_some_and(|r| words(r).contains(&asked)))
    }
}

impl Runtime {
    /// Takes out the commands whose prompts the ended turn answered.
    pub fn answered(&mut self) -> Vec<Reply> {
        let (turns, conversation) = (self.turns, self.conversation.clone());
        let (ready, rest): (Vec<_>, Vec<_>) =
            self.waiters.drain(..).partition(|waiter| waiter.answered(turns, &conversation));
        self.waiters = rest;
        ready.into_iter().map(|waiter| waiter.reply).collect()
    }

    /// The process is gone; nothing of it can be in flight.
    pub fn process_ended(&mut self) {
        self.control = Control::None;
        self.in_flight.clear();
        self.tools_called = None;
        for Waiter { reply, .. } in self.waiters.drain(..) {
            reply.fail(&Failure::Failed("the harness ended before its turn did".into()));
        }
    }
}

/// Whose home a route is launched in.
pub fn home_of(route: &Route, inherit_user: bool) -> Home {
    match (route.provider, route.auth) {
        (Provider::Rehearsal, _) => Home::Empty,
        (_, AuthMode::Login) => Home::Users,
        _ => Home::Overlay { inherit_user },
    }
}

impl Server {
    /// Plans what `--executor` and its companions ask for.
    pub(crate) fn plan_what(
        &mut self,
        what: &What,
        rehearse: bool,
        env: &BTreeMap<String, String>,
        cwd: &Path,
    ) -> Result<Option<Start>, Failure> {
        let Some(name) = &what.executor else { return Ok(None) };
        let executor = ExecutorId::from(name.as_str());
        let auth = what.auth.as_deref().map(str::parse).transpose().map_err(Failure::Usage)?;
        let permission = match &what.permission {
            Some(word) => parse_permission(word)?,
            None => self.settings.executor(&executor).permission,
        };
        let request = PlanRequest { executor: executor.clone(), model: what.model.clone(), auth, rehearse };
        let facts = self.facts(env, cwd);
        let planned = plan(&request, &facts);
        if planned.as_ref().is_err_and(|refusal| refusal.rule.starts_with("auth.")) {
            // A key or a login would not help an executor that cannot start anyway.
            self.check_startable(&executor, &facts, true)?;
        }
        let route = planned?;
        let auto_install = self.settings.executor(&executor).auto_install;
        let install =
            auto_install != AutoInstall::Never && what.install || auto_install == AutoInstall::Always;
        self.check_startable(&executor, &facts, install)?;
        if what.trust {
            self.trust(cwd, true);
        }
        let manner = self.manner(&executor, &what.manner, env, cwd)?;
        let session = match &what.resume {
            Some(id) => SessionChoice::Resume(id.clone()),
            None => SessionChoice::New(uuid::Uuid::new_v4()),
        };
        Ok(Some(Start {
            trusted: rehearse || self.is_trusted(cwd),
            route,
            permission,
            session,
            prompt: what.prompt.clone(),
            rehearse,
            install,
            manner,
        }))
    }

    /// What `--effort` and `--agent` ask for; an agent that the executor does not have is refused before anything starts.
    pub(crate) fn manner(
        &self,
        executor: &ExecutorId,
        asked: &commands::Manner,
        env: &BTreeMap<String, String>,
        cwd: &Path,
    ) -> Result<Manner, Failure> {
        let effort = asked.effort.as_deref().map(str::parse).transpose().map_err(Failure::Usage)?;
        if let (Some(agent), Ok(executor)) = (&asked.agent, executors::by_id(executor)) {
            let places = AgentPlaces { env, cwd };
            executors::check_agent(executor, agent, &places).map_err(|why| {
                let remedies = vec![format!("inspan agents --executor {}  lists them", executor.id())];
                Refusal { rule: "agent.unknown".into(), reason: why, remedies }
            })?;
        }
        Ok(Manner { effort, agent: asked.agent.clone() })
    }

    /// Refuses what this build or machine cannot start.
    pub(crate) fn check_startable(
        &self,
        executor: &ExecutorId,
        facts: &Facts,
        install: bool,
    ) -> Result<(), Refusal> {
        if let Err(why) = executors::by_id(executor) {
            return Err(Refusal {
                rule: "executor.unavailable".into(),
                reason: why,
                remedies: vec!["inspan executors  lists what can be started".into()],
            });
        }
        if !install && facts.present.get(executor) == Some(&false) {
            return Err(missing(executor, self.settings.executor(executor).auto_install));
        }
        Ok(())
    }

    /// Starts a harness in a pane whose screen is open.
    pub(crate) fn start_harness(&mut self, id: PaneId, start: Start) {
        let env = self.env_of(id);
        let path = self.login_path(&env);
        let Ok(executor) = executors::by_id(&start.route.executor) else { return };
        if let Some(why) = self.key_missing(&start.route) {
            let failed = format!("{} was not started: ", start.route.executor);
            // Once: below a card the remark says it all.
            let short = if self.switches.contains_key(&id) { why.as_str() } else { "its key is not here" };
            self.not_started(id, &(failed + short));
            self.note_keys();
            return;
        }
        let Some(found) = executors::find(executor, &path, &self.paths.data) else {
            let auto_install = self.settings.executor(&start.route.executor).auto_install;
            if auto_install != AutoInstall::Never && (start.install || auto_install == AutoInstall::Always) {
                self.install_first(id, start);
            } else {
                let words = missing(&start.route.executor, auto_install);
                self.not_started(id, &words.reason);
                if auto_install != AutoInstall::Never
                    && let Some(card) = self.state.panes.get_mut(&id).and_then(|pane| pane.exit.as_mut())
                {
                    card.keys.insert(0, ("i".into(), format!("install {}", start.route.executor)));
                }
                self.unstarted.insert(id, Start { install: true, ..start });
            }
            return;
        };
        match self.versions.known(&found.binary) {
            Some(probe) => {
                if let Some(why) = probe.unfit(executor, &found) {
                    self.not_started(id, &why);
                    return;
                }
            }
            // Our own installation was tested as a whole before it was put in place.
            None if found.why != executors::OURS => {
                self.probe_first(id, start, executor, found, env, path);
                return;
            }
            None => {}
        }
        let Some(cwd) = self.state.panes.get(&id).map(|pane| pane.cwd.clone()) else { return };
        let equipment = self.equipment_of(&cwd);
        let slow = self.slow_secrets(&equipment.0, &start);
        if !slow.is_empty() {
            let vault = self.vault.clone();
            let asked = self.asked_secrets.replace(id);
            if asked != Some(id) {
                self.tasks.spawn(
                    move || slow.iter().for_each(|reference| drop(vault.resolve(reference))),
                    move |server, ()| server.start_harness(id, start),
                );
                return;
            }
        }
        self.asked_secrets = None;
        let equipped = self.equipped(equipment, &start, &env);
        let mut held = None;
        if start.route.inject {
            let (vault, credential) = (self.vault.clone(), start.route.credential.clone());
            if vault.is_slow(&credential) {
                // A program gives the key, which the loop must not wait for.
                self.tasks.spawn(
                    move || vault.resolve(&credential).map(drop),
                    move |server, given| match given {
                        Ok(()) => server.start_harness(id, start),
                        Err(why) => server.not_started(id, &why.to_string()),
                    },
                );
                return;
            }
            match vault.resolve(&credential) {
                Ok(key) => held = Some(key),
                Err(why) => return self.not_started(id, &why.to_string()),
            }
        }
        let (permission, leased) = self.lease(id, start.permission);
        let Some(pane) = self.state.panes.get_mut(&id) else { return };
        let key = pane.key.clone();
        let (parked, switch) = pane.harness.take().map(|h| (h.parked, h.switch)).unwrap_or_default();
        let pane_dir = self.place.pane(&key);
        let access = match (start.route.auth, held) {
            (AuthMode::Login, _) => None,
            (_, Some(key)) => Some(GatewayAccess {
                base_url: direct_base(&start.route.base_url).to_owned(),
                token: key.expose().to_owned(),
            }),
            _ => self.gateway.as_ref().map(|g| GatewayAccess { base_url: g.base_url(), token: new_token() }),
        };
        let request = LaunchRequest {
            binary: &found.binary,
            route: &start.route,
            permission,
            effort: start.manner.effort.or(self.settings.executor(&start.route.executor).effort),
            agent: start.manner.agent.as_deref(),
            cwd: &pane.cwd,
            pane_dir: &pane_dir,
            gateway: access.as_ref(),
            home: home_of(&start.route, self.settings.inherit_user),
            session: start.session.clone(),
            prompt: start.prompt.as_deref(),
            env: &env,
            trusted: start.trusted,
            equipment: &equipped,
            control: false,
        };
        let own = self.settings.executor(&start.route.executor).args;
        let wanted = self.settings.executor(&start.route.executor).control != Some(false);
        let plain = self.versions.known(&found.binary).is_some_and(|probe| probe.plain);
        // Arguments of the person's own are for one program; typed control may take two.
        let request = LaunchRequest { control: wanted && !plain && own.is_empty(), ..request };
        let planned = executor.launch(&request).and_then(|plan| {
            executors::apply(&plan, &pane_dir).map_err(|e| e.to_string())?;
            Ok(plan)
        });
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(why) => {
                self.not_started(id, &format!("could not start {}: {why}", start.route.executor));
                return;
            }
        };
        // Before ours: what the route says is said last. Behind the program: options of a whole CLI come before its
        // subcommands.
        plan.argv.splice(1..1, own);
        if found.why == executors::OURS {
            executor.hold_version(&mut plan);
        } else if found.binary.parent().is_some_and(|dir| !on_path(&env, dir)) {
            // Found by the login shell's PATH, where its interpreter is likely to be as well.
            plan.env_set.insert("PATH".into(), path.clone());
        }
        let session = plan.session.clone().or_else(|| match &start.session {
            SessionChoice::Resume(id) => Some(id.clone()),
            SessionChoice::New(_) => None,
        });
        if start.route.inject {
            let short = short_credential(&start.route.credential);
            plan.notes.push(format!("this CLI holds the key {short} itself: its requests are not metered"));
        }
        plan.notes.extend(plan.unmapped.iter().map(|what| format!("not given: {what}")));
        let leased_out = leased.is_some();
        plan.notes.extend(leased);
        // What a workspace tried to allow, or cannot be read, is said where it would have mattered.
        plan.notes.extend(self.rules.faults(&pane.cwd));
        pane.notes.clone_from(&plan.notes);
        pane.argv.clear();
        let planned = Harness::planned(start.route.clone(), start.permission, start.rehearse, parked);
        let manner = start.manner.clone();
        pane.harness = Some(Harness { session, switch, leased_out, manner, ..planned });
        let before = self.harnesses.remove(&id);
        let conversation = before.map(|r| r.conversation).unwrap_or_default();
        self.harnesses.insert(
            id,
            Runtime {
                // Without a token the gateway does not know the pane: its CLI asks the provider itself.
                token: access.filter(|_| start.route.through_gateway()).map(|a| a.token).unwrap_or_default(),
                config_home: plan.config_home.clone(),
                started: Some(SystemTime::now()),
                pending: start.prompt.filter(|_| !plan.prompt_delivered).into_iter().collect(),
                launched: start.route.wire_model.clone(),
                files: Generated::of(&plan),
                unmapped: plan.unmapped,
                resumed: match start.session {
                    SessionChoice::Resume(session) => Some(session),
                    SessionChoice::New(_) => None,
                },
                control: plan.control.take().map_or(Control::None, Control::Planned),
                ended_with: Arc::clone(&conversation),
                conversation,
                ..Runtime::default()
            },
        );
        self.publish_routes();
        self.recorder.journal(
            &self.session_name_of(id),
            &key,
            "harness.start",
            serde_json::json!({
                "executor": start.route.executor, "model": start.route.model, "auth": start.route.auth,
                "provider": start.route.provider, "step": start.route.step,
            }),
        );
        let launch =
            Launch { argv: plan.argv, env_set: plan.env_set, env_remove: plan.env_remove, harness: true };
        self.start(id, launch);
        self.control_begin(id, false);
    }

    /// A harness that could not be started: the switch that wanted it ends, or the pane shows its card.
    pub(super) fn not_started(&mut self, id: PaneId, why: &str) {
        if self.switches.contains_key(&id) {
            self.fail_switch(id, why, true);
        } else {
            self.ended(id, why.to_owned());
        }
    }

    /// Asks a CLI that was never started before what it is, off the loop, and starts it then.
    fn probe_first(
        &mut self,
        id: PaneId,
        start: Start,
        executor: &'static dyn Executor,
        found: Found,
        env: BTreeMap<String, String>,
        path: String,
    ) {
        if let Some(pane) = self.state.panes.get_mut(&id) {
            pane.exit = None;
            pane.title = format!("looking at {}", found.binary.display());
        }
        let versions = self.versions.clone();
        let data = self.paths.data.clone();
        self.tasks.spawn(
            move || versions.probe(executor, &found.binary, &env, &path, &data),
            move |server, _| {
                let idle = server.screens.get(&id).is_some_and(|screen| screen.pty.is_none());
                let asked_off = server.state.panes.get(&id).is_none_or(|pane| pane.exit.is_some());
                if let Some(pane) = server.state.panes.get_mut(&id) {
                    pane.title.clear();
                }
                if idle && !asked_off {
                    server.start_harness(id, start);
                }
            },
        );
    }

    /// Runs the installation in the pane, in view, and the harness after it.
    fn install_first(&mut self, id: PaneId, start: Start) {
        let executor = start.route.executor.clone();
        let Ok(binary) = std::env::current_exe() else { return };
        let argv = vec![
            binary.to_string_lossy().into_owned(),
            "install".into(),
            executor.to_string(),
            "--yes".into(),
        ];
        if let Some(pane) = self.state.panes.get_mut(&id) {
            let parked = pane.harness.take().map(|h| h.parked).unwrap_or_default();
            let planned = Harness::planned(start.route.clone(), start.permission, start.rehearse, parked);
            pane.harness = Some(Harness { manner: start.manner.clone(), ..planned });
        }
        self.start(id, Launch::program(argv));
        let installing = StatusReport::new(Status::Starting, StatusSource::Process, crate::state::INSTALLING);
        if self.screens.get(&id).is_some_and(|screen| screen.pty.is_some()) {
            self.set_status(id, installing);
        }
        let Some(screen) = self.screens.get_mut(&id) else { return };
        screen.on_exit = Some(Box::new(move |server, id, status| {
            if ended_well(status) {
                if let Some(screen) = server.screens.get(&id) {
                    fresh_screen(&screen.emulator);
                }
                server.start_harness(id, start);
                server.installed(id);
            } else {
                server.ended(id, format!("{executor} was not installed ({})", exit_words(status)));
                server.offer_install(id);
                server.unstarted.insert(id, start);
            }
        }));
    }

    /// The card of a failed installation: the same again, with the prompt that waits behind it.
    fn offer_install(&mut self, id: PaneId) {
        let Some(card) = self.state.panes.get_mut(&id).and_then(|pane| pane.exit.as_mut()) else { return };
        for (key, meaning) in &mut card.keys {
            if key == "f" {
                "try again".clone_into(meaning);
            }
        }
    }

    pub(super) fn session_name_of(&self, id: PaneId) -> String {
        self.state
            .window_of(id)
            .and_then(|w| self.state.session_of(w.id))
            .map(|s| s.name.clone())
            .unwrap_or_default()
    }

    /// Plans another model under the same executor and way of paying, and makes it the pane's route.
    pub(crate) fn change_model(&mut self, id: PaneId, model: &str) -> Result<String, Refusal> {
        let (env, dir) = (self.env_of(id), self.dir_of(id));
        let facts = self.facts(&env, &dir);
        let Some(harness) = self.state.panes.get_mut(&id).and_then(|p| p.harness.as_mut()) else {
            return Err(Refusal {
                rule: "pane.no-harness".into(),
                reason: format!("no harness runs in {id}"),
                remedies: vec!["start one: inspan split-window --executor claude".into()],
            });
        };
        let request = PlanRequest {
            executor: harness.route.executor.clone(),
            model: Some(model.to_owned()),
            auth: Some(harness.route.auth),
            rehearse: harness.rehearse,
        };
        let mut route = plan(&request, &facts)?;
        route.step = harness.route.step;
        let line = format!(
            "{} now runs {}",
            route.executor,
            route.model.clone().unwrap_or_else(|| "its own default".into())
        );
        harness.route = route;
        self.touch();
        Ok(line)
    }

    /// Gives a prompt to a harness: by its typed protocol, else typed as its executor needs it.
    pub(crate) fn submit(&mut self, id: PaneId, text: &str) -> Result<(), String> {
        if self.screens.get(&id).is_some_and(|s| s.pty.is_some()) && self.control_prompt(id, text) {
            self.submitted(id);
            return Ok(());
        }
        self.type_prompt(id, text)
    }

    /// Types a prompt into a harness.
    pub(super) fn type_prompt(&mut self, id: PaneId, text: &str) -> Result<(), String> {
        let executor = self.executor_of(id).ok_or_else(|| format!("no harness runs in {id}"))?;
        if self.screens.get(&id).is_none_or(|s| s.pty.is_none()) {
            return Err(format!("nothing runs in {id}"));
        }
        self.submitted(id);
        self.type_steps(id, executor.submit(text).into());
        Ok(())
    }

    fn submitted(&mut self, id: PaneId) {
        if let Some(runtime) = self.harnesses.get_mut(&id) {
            runtime.submitted = Some(Instant::now());
        }
        self.check_submitted(id);
    }

    /// The executor of a pane's harness.
    pub(crate) fn executor_of(&self, id: PaneId) -> Option<&'static dyn Executor> {
        let harness = self.state.panes.get(&id)?.harness.as_ref()?;
        executors::by_id(&harness.route.executor).ok()
    }

    /// Shows the recorder's warning, once, to everybody.
    pub(super) fn warn_of_recorder(&mut self) {
        let warning = self.recorder.warning();
        if warning.is_some() && self.state.warning != warning {
            self.state.warning = warning;
            self.dirty_all();
        }
    }

    /// A passing line for every client.
    pub(crate) fn tell_all(&mut self, message: &str) {
        let ids: Vec<_> = self.state.clients.keys().copied().collect();
        for id in ids {
            self.tell(id, message);
        }
    }
}

/// A parked session again. One without a turn was never written down by its CLI, which would find nothing to resume:
/// it begins anew under the same id.
pub(super) fn resume(parked: &Parked) -> SessionChoice {
    match uuid::Uuid::parse_str(&parked.session) {
        Ok(id) if parked.auth != AuthMode::Login && parked.seen_requests == 0 => SessionChoice::New(id),
        _ => SessionChoice::Resume(parked.session.clone()),
    }
}

/// A CLI that is not there, and what to do.
pub fn missing(executor: &ExecutorId, auto_install: AutoInstall) -> Refusal {
    let remedies = match auto_install {
        AutoInstall::Never => {
            vec![format!("put {executor} on your PATH: your settings say auto_install = \"never\" for it")]
        }
        _ => vec![
            format!("inspan install {executor}"),
            "or start it in a pane of its own with --install".into(),
        ],
    };
    Refusal {
        rule: "executor.missing".into(),
        reason: format!("{executor} is neither on your PATH nor installed by inspan"),
        remedies,
    }
}

/// The vocabulary of permissions.
///
/// # Errors
/// Names the words.
pub fn parse_permission(word: &str) -> Result<Permission, Failure> {
    serde_json::from_value(serde_json::Value::String(word.to_ascii_lowercase())).map_err(|_| {
        Failure::Usage(format!("unknown permission {word:?}: use ask, edits, plan, full or readonly"))
    })
}

/// Whether a directory is on an environment's own PATH.
fn on_path(env: &BTreeMap<String, String>, dir: &Path) -> bool {
    env.get("PATH").is_some_and(|path| path.split(':').any(|part| Path::new(part) == dir))
}

/// A provider's address without the version that the CLIs add themselves.
fn direct_base(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1beta").or_else(|| url.strip_suffix("/v1")).unwrap_or(url)
}

/// A token nobody can guess.
fn new_token() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// How long after a submitted prompt the harness should be seen working.
pub const SUBMIT_WAIT: Duration = Duration::from_secs(5);
