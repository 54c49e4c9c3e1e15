//! The server's life: become a daemon, listen, loop, end.
use super::{EVENT_QUEUE, Ending, Event, Server, Tasks, Wake, connection, input, socket};
use crate::{
    config::{self, Paths, ServerPaths, Theme},
    gateway, record,
    state::State,
    term::pty::Quiet,
    vault::Vault,
};
use anyhow::{Context, Result};
use fs2::FileExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Threads that parse panes and serve sockets. More buy contention, not speed.
const PANE_WORKERS: usize = 2;

/// Threads for slow work: questions to git, to the record, to a vendor's CLI. Nearly all of it waits, some of it for
/// seconds; a checkout on a dead mount must not use up every thread of the machine.
const SLOW_WORKERS: usize = 64;

/// Orphans are reaped at most this often.
const REAP_PAUSE: Duration = Duration::from_secs(1);

/// Runs the server named `name` until it ends; the body of `inspan server`.
///
/// # Errors
/// When it cannot start; the reason was already told to the waiting client.
pub fn run(name: &str) -> Result<()> {
    let started = prepare(name);
    match started {
        Ok(prepared) => serve(prepared),
        Err(error) => {
            say(&format!("{error:#}"));
            Err(error)
        }
    }
}

/// Tells the client that started this server how it went; one line, then the pipe is closed.
fn say(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{}", line.replace('\n', " "));
    let _ = stdout.flush();
    if let Ok(null) = fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

struct Prepared {
    name: String,
    paths: Paths,
    place: ServerPaths,
    listener: std::os::unix::net::UnixListener,
    locks: [fs::File; 2],
    _log: tracing_appender::non_blocking::WorkerGuard,
}

/// A directory that nobody else enters, so that nothing in it needs a mode of its own. The mask stays the person's:
/// panes inherit it, and what is made in them must be as anywhere else.
fn private_dir(dir: &std::path::Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("cannot create {} for you alone", dir.display()))
}

fn prepare(name: &str) -> Result<Prepared> {
    // Already a session leader when started by hand from a shell's job control; that is as good.
    let _ = rustix::process::setsid();
    // Orphans of panes come to us, so that nothing outlives its pane unseen.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let paths = Paths::new(|key| std::env::var_os(key), rustix::process::geteuid().as_raw())?;
    let place = paths.server(name)?;
    socket::prepare_dir(&paths.sockets).map_err(anyhow::Error::msg)?;
    private_dir(&place.state)?;
    let log_dir = place.logs();
    private_dir(&log_dir)?;
    let appender = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("server")
        .filename_suffix("log")
        .max_log_files(7)
        .build(&log_dir)
        .with_context(|| format!("cannot write a log under {}", log_dir.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = tracing_subscriber::EnvFilter::try_from_env("INSPAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,hyper=warn,reqwest=warn"));
    let _ = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).with_env_filter(filter).try_init();
    let path = place.socket.clone();
    let locks = [place.state.join("server.lock"), paths.sockets.join(format!("{name}.lock"))];
    let locks = take_locks(locks, &path)?;
    // We hold the lock, so whoever bound this socket is gone.
    let _ = fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    listener.set_nonblocking(true)?;
    Ok(Prepared { name: name.to_owned(), paths, place, listener, locks, _log: guard })
}

/// Takes the lock of the saved state, then that of the socket; ends this process when another server has one.
///
/// Whoever cleans /tmp takes socket and lock from a server that lives on. A second one beside it would take its panes
/// for what a crash left behind, so the state is locked too, and the server that lives is asked to listen anew.
fn take_locks(
    [state, socket_lock]: [std::path::PathBuf; 2],
    socket: &std::path::Path,
) -> Result<[fs::File; 2]> {
    let open = |path: &std::path::Path| {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        options.open(path).with_context(|| format!("cannot open {}", path.display()))
    };
    let mut of_state = open(&state)?;
    if of_state.try_lock_exclusive().is_err() {
        let owner = fs::read_to_string(&state).unwrap_or_default();
        let (pid, listens) = owner.split_once('\n').unwrap_or_default();
        if !listens.is_empty() && std::path::Path::new(listens) != socket {
            anyhow::bail!(
                "process {pid} serves this state directory and listens on {listens}; set INSPAN_TMPDIR alike"
            );
        }
        if let (false, Some(pid)) =
            (socket.exists(), pid.parse().ok().and_then(rustix::process::Pid::from_raw))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::USR1);
        }
        say("taken");
        std::process::exit(0);
    }
    let of_socket = open(&socket_lock)?;
    if of_socket.try_lock_exclusive().is_err() {
        say("taken");
        std::process::exit(0);
    }
    of_state.set_len(0)?;
    of_state.write_all(format!("{}\n{}", std::process::id(), socket.display()).as_bytes())?;
    Ok([of_state, of_socket])
}

fn serve(prepared: Prepared) -> Result<()> {
    let Prepared { name, paths, place, listener, locks, _log } = prepared;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), server = name, "server starts");
    std::panic::set_hook(Box::new(|info| tracing::error!("panic: {info}")));
    let panes_runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(PANE_WORKERS)
        .max_blocking_threads(SLOW_WORKERS)
        .thread_name("panes")
        .enable_all()
        .build()?;
    let collecting = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("collecting")
        .enable_all()
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (events, queue) = mpsc::channel(EVENT_QUEUE);
    let (quiet_panes, mut quiet) = Quiet::new();
    let (listeners, accepted) = mpsc::channel(1);

    let (mut settings, mut problems) = config::load([paths.config_file()]);
    problems.extend(input::check(&mut settings));
    crate::executors::declare(&settings);
    let (theme, theme_problems) = Theme::load(&settings.theme, &paths.themes());
    let recorder = record::Recorder::open_or_warn(&place.database());
    let vault = Arc::new(Vault::default());
    for reference in settings.references() {
        vault.refer(&reference);
    }
    let routes = gateway::RouteTable::default();
    let rules = Arc::new(super::rules::FileRules::new(&paths));
    let gateway = start_gateway(&routes, &recorder, &vault, &events, panes_runtime.handle(), &rules);
    let scripted = super::scripted::Scripted::default();
    let keys = input::KeyTable::new(&settings, &scripted);
    let mut server = Server {
        state: State::default(),
        place,
        name: name.clone(),
        theme,
        plain_theme: Theme::without_colour(),
        palette: crate::term::palette::Palette::default(),
        keys,
        scripted,
        screens: BTreeMap::new(),
        links: BTreeMap::new(),
        connections: BTreeMap::new(),
        harnesses: BTreeMap::new(),
        session_env: BTreeMap::new(),
        gateway: None,
        routes,
        recorder,
        files: Arc::new(record::Files::start().context("cannot start the thread that writes files")?),
        vault,
        rules,
        trusted: BTreeSet::new(),
        left_to_harness: BTreeSet::new(),
        versions: Arc::new(crate::executors::Versions::load(&paths.data)),
        proven: BTreeSet::new(),
        known_facts: Vec::new(),
        login_paths: BTreeMap::new(),
        last_preset: BTreeMap::new(),
        switches: BTreeMap::new(),
        waiting_switches: BTreeMap::new(),
        retries: BTreeMap::new(),
        controls: 0,
        unstarted: BTreeMap::new(),
        spawned: BTreeSet::new(),
        stopping: Vec::new(),
        tasks: Tasks { events: events.clone(), runtime: panes_runtime.handle().clone() },
        wake: Arc::new(Wake::default()),
        panes_runtime: panes_runtime.handle().clone(),
        loop_runtime: runtime.handle().clone(),
        collecting_runtime: collecting.handle().clone(),
        quiet_panes,
        echo: super::echo::Echo::default(),
        buffers: super::buffers::Buffers::default(),
        desk: super::composing::Desk::default(),
        writers: super::changes::Writers::default(),
        followers: Vec::new(),
        saved: String::new(),
        changed: false,
        git_due: BTreeMap::new(),
        git_busy: BTreeSet::new(),
        listeners,
        ending: None,
        settings,
        paths,
    };
    match gateway {
        Ok(gateway) => server.gateway = Some(gateway),
        Err(error) => server.state.warning = Some(format!("the gateway could not start: {error:#}")),
    }
    if let Some(problem) = problems.iter().chain(&theme_problems).next() {
        server.state.warning = Some(problem.to_string());
        server.scripted.problem.clone_from(&server.state.warning);
    }
    server.scripted.read = server.settings_as_read();
    super::watching::start(server.paths.config_file(), server.paths.themes(), events.clone());
    for problem in problems.iter().chain(&theme_problems) {
        tracing::warn!("{problem}");
    }
    let heard = events.clone();
    // A loop that is behind has more to do than to tell followers.
    server.recorder.listen(move |event| {
        let _ = heard.try_send(Event::Task(Box::new(move |server| server.follow(&event))));
    });
    server.restore();
    server.tidy();
    server.state.spend_today = server.gateway.as_ref().map_or(0.0, gateway::Gateway::spent_today);
    server.state.credits_per_usd = server.settings.credits_per_usd;
    let places = connection::Places::default();
    panes_runtime.spawn(connection::accept(accepted, events.clone(), places.clone()));
    server.listen_on(listener)?;
    say("ready");
    let ending = runtime.block_on(server.turn(queue, events, &mut quiet));
    tracing::info!(?ending, "server ends");
    // Programs that write while they leave must still be read.
    let (over, last_turn) = tokio::sync::oneshot::channel::<()>();
    let reading = std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = last_turn => {}
                () = read(&mut quiet) => {}
            }
        });
    });
    server.shut_down(ending);
    panes_runtime.block_on(places.emptied());
    let _ = fs::remove_file(&server.place.socket);
    let _ = fs::remove_file(socket::agent_link(&server.paths.sockets, &name));
    if !server.recorder.flush() {
        tracing::warn!("the record was not on disk in time; its newest rows may be lost");
    }
    drop(server);
    drop(over);
    let _ = reading.join();
    panes_runtime.shutdown_background();
    collecting.shutdown_background();
    locks.iter().for_each(|lock| drop(lock.unlock()));
    Ok(())
}

fn start_gateway(
    routes: &gateway::RouteTable,
    recorder: &record::Recorder,
    vault: &Arc<Vault>,
    events: &mpsc::Sender<Event>,
    runtime: &tokio::runtime::Handle,
    rules: &Arc<super::rules::FileRules>,
) -> Result<gateway::Gateway> {
    let (sender, mut receiver) = mpsc::channel(EVENT_QUEUE);
    let gateway = gateway::start(gateway::GatewayConfig {
        routes: routes.clone(),
        vault: vault.clone(),
        recorder: recorder.clone(),
        events: sender,
        classify: Arc::new(crate::executors::classify),
        rules: Arc::clone(rules) as Arc<dyn gateway::Rules>,
    })?;
    let events = events.clone();
    runtime.spawn(async move {
        while let Some(event) = receiver.recv().await {
            if events.send(Event::Gateway(event)).await.is_err() {
                break;
            }
        }
    });
    Ok(gateway)
}

impl Server {
    /// The loop. Drains what is queued, then paints who is due, then sleeps until the next event or deadline.
    async fn turn(
        &mut self,
        mut queue: mpsc::Receiver<Event>,
        events: mpsc::Sender<Event>,
        quiet: &mut Quiet,
    ) -> Ending {
        tokio::spawn(async move {
            if let Err(error) = pass_signals(events).await {
                tracing::error!(%error, "signals are not heard");
            }
        });
        let wake = self.wake.clone();
        let mut alarm = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut set = None;
        loop {
            let deadline = self.next_deadline();
            // Most turns end with the deadline that they began with; setting it anew is work for the timer.
            if let Some(at) = deadline.filter(|_| deadline != set) {
                alarm.as_mut().reset(at.into());
                set = deadline;
            }
            tokio::select! {
                biased;
                event = std::future::poll_fn(|context| self.poll_terminals(context)) => {
                    self.dispatch(event);
                    if self.is_still() && self.await_echo() {
                        std::future::poll_fn(|context| {
                            quiet.poll(context);
                            Poll::Ready(())
                        })
                        .await;
                    }
                }
                event = queue.recv() => {
                    let Some(event) = event else { return Ending::Keep };
                    self.dispatch(event);
                }
                // Ends never; what it reads wakes the next branch.
                () = read(quiet) => {}
                () = wake.notify.notified() => {}
                () = &mut alarm, if deadline.is_some() => set = None,
            }
            while let Ok(event) = queue.try_recv() {
                self.dispatch(event);
            }
            self.drain_panes();
            // Frames first: nobody waits for the rest.
            let look = self.must_look(deadline);
            self.paint_due();
            if look {
                self.due();
            }
            if self.changed {
                self.save();
            }
            if let Some(ending) = self.ending {
                return ending;
            }
        }
    }

    /// Whether the last event left nothing to do.
    fn is_still(&self) -> bool {
        !self.changed && self.ending.is_none() && self.links.values().all(super::attach::Link::is_still)
    }

    /// What is typed into the terminals that are read here.
    fn poll_terminals(&self, context: &mut std::task::Context<'_>) -> Poll<Event> {
        let terminals = self.links.values().filter_map(|link| link.terminal.as_ref());
        terminals.map(|terminal| terminal.poll_input(context)).find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    /// One event. A fault in handling it must cost that event, not everybody's panes.
    fn dispatch(&mut self, event: Event) {
        let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if matches!(event, Event::Listen) {
                self.listen_again();
            } else {
                self.handle(event);
            }
        }));
        if handled.is_err() {
            self.state.warning =
                Some("something inside inspan failed; its log says what (inspan config path)".into());
            self.dirty_all();
        }
    }

    /// Binds the socket anew after something cleaned it away, as tmux does on SIGUSR1.
    fn listen_again(&mut self) {
        let bound = socket::prepare_dir(&self.paths.sockets).and_then(|()| {
            let _ = fs::remove_file(&self.place.socket);
            let listener =
                std::os::unix::net::UnixListener::bind(&self.place.socket).map_err(|e| e.to_string())?;
            listener.set_nonblocking(true).map_err(|e| e.to_string())?;
            self.listen_on(listener).map_err(|e| e.to_string())
        });
        if let Err(error) = bound {
            tracing::error!(error, "cannot listen again");
        }
    }

    /// Accepts from this listener from now on.
    fn listen_on(&self, listener: std::os::unix::net::UnixListener) -> Result<()> {
        let _inside = self.panes_runtime.enter();
        let listener = UnixListener::from_std(listener)?;
        self.listeners.try_send(listener).context("the one before is still being taken over")
    }
}

/// Turns signals into events.
async fn pass_signals(events: mpsc::Sender<Event>) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut usr1 = signal(SignalKind::user_defined1())?;
    let mut chld = signal(SignalKind::child())?;
    loop {
        let event = tokio::select! {
            _ = term.recv() => Event::Terminate,
            _ = usr1.recv() => Event::Listen,
            _ = chld.recv() => {
                // A build ends a thousand children; looking once for all of them is enough.
                tokio::time::sleep(REAP_PAUSE).await;
                Event::Reap
            }
        };
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads quiet panes for as long as it is polled.
async fn read(quiet: &mut Quiet) {
    std::future::poll_fn(|context| {
        quiet.poll(context);
        Poll::<()>::Pending
    })
    .await;
}
