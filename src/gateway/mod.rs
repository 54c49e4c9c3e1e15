//! Owns the loopback model proxy: HTTP front, upstream client, pass-through, metering.
//!
//! A request of a harness finds its pane by the token it carries, is served by that pane's route of this moment, and
//! ends in the ledger. Bytes go both ways unread by anything that could change them; only `model` and the
//! credential are replaced. What fails before anything was said is tried again, a few times and visibly.
//! Must not know: clients, windows, ptys. It reads the route table that the loop publishes and sends events back.
mod account;
mod arrival;
mod budgets;
mod call;
mod clerk;
mod failure;
mod front;
mod interpret;
mod model;
mod path;
mod play;
mod probe;
mod relay;
mod retry;
mod types;
mod upstream;
mod windows;

#[cfg(test)]
mod tests;

pub use probe::probe;
pub use types::*;

use crate::{
    executors::{Class, RequestFacts},
    record::Recorder,
    router::{ExecutorId, Standing},
    vault::Vault,
};
use axum::{Router, serve::ListenerExt};
use front::Front;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::mpsc};

/// Threads of the gateway's own runtime: one request's parsing must not hold up another's stream, and more buy
/// contention.
const WORKERS: usize = 2;

/// How long [`Gateway::shutdown`] waits for requests in flight to be dropped and written to the ledger.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

/// What a request of an executor is for; the executors room answers.
pub type Classify = Arc<dyn Fn(&ExecutorId, &RequestFacts<'_>) -> Class + Send + Sync>;

/// What the gateway works with.
#[derive(Clone)]
pub struct GatewayConfig {
    /// Pane tokens and their routes, published by the loop.
    pub routes: RouteTable,
    /// Where credential references resolve.
    pub vault: Arc<Vault>,
    /// Where requests end.
    pub recorder: Recorder,
    /// To the loop. Bounded; a full one loses the event.
    pub events: mpsc::Sender<GatewayEvent>,
    /// Main, Subagent or Side.
    pub classify: Classify,
    /// The rules of this moment, asked for each request.
    pub rules: Arc<dyn Rules>,
}

/// How long the gateway waits for others; tests shorten these.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// For a harness to send its request's body. It comes from this machine, so a minute is a broken client.
    body: Duration,
    /// For the head of an upstream's answer. Without streaming a long answer is silent until it is whole; the
    /// harnesses themselves give up at about ten minutes.
    head: Duration,
    /// Between two pieces of an answer. Providers send pings or deltas within seconds; Codex gives up at 300 s.
    piece: Duration,
    /// For an answer from its head to its end. The longest turns of reasoning are well under an hour.
    total: Duration,
    /// Before the second attempt, where the provider does not say; it doubles from there.
    retry: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            body: Duration::from_secs(60),
            head: Duration::from_secs(600),
            piece: Duration::from_secs(240),
            total: Duration::from_secs(3600),
            retry: Duration::from_millis(600),
        }
    }
}

/// The running gateway; dropping it stops it.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens: 127.0.0.1 and a port of the kernel's choice.
    pub addr: SocketAddr,
    front: Arc<Front>,
    runtime: Option<Runtime>,
}

/// Starts the gateway in threads of its own.
///
/// # Errors
/// No loopback port or no thread is to be had.
pub fn start(config: GatewayConfig) -> io::Result<Gateway> {
    start_with(config, Waits::default())
}

fn start_with(config: GatewayConfig, waits: Waits) -> io::Result<Gateway> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("gateway")
        .enable_all()
        .build()?;
    // Bound without the runtime: blocking on one panics where the caller is inside another.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let entered = runtime.enter();
    let listener = TcpListener::from_std(listener)?;
    drop(entered);
    let front = Arc::new(Front::new(config, waits, addr.port())?);
    let app = Router::new().fallback(front::answer).with_state(Arc::clone(&front));
    // A streamed answer is many small writes, and each should leave when it is made.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok(Gateway { addr, front, runtime: Some(runtime) })
}

impl Gateway {
    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How far the budgets of a pane are used up, the narrowest first.
    pub fn standings(&self, pane: &PaneRoute) -> Vec<Standing> {
        self.front.budgets.standings(pane)
    }

    /// US dollars spent since midnight, over all panes.
    pub fn spent_today(&self) -> f64 {
        self.front.budgets.today()
    }

    /// Stops listening, drops what is in flight (the ledger says so) and waits briefly until that is done.
    pub fn shutdown(mut self) {
        self.front.stopping.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            // A thread of its own, because waiting for a runtime inside another one panics.
            let waiting = std::thread::spawn(move || runtime.shutdown_timeout(SHUTDOWN_WAIT));
            let _ = waiting.join();
        }
        self.front.clerk.finish();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.front.stopping.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
