//! When a client is painted: at most every 8 ms, at once after its own key, never while the last frame is on its way.
use super::{
    Server,
    connection::Out,
    panes::lock,
    protocol::{Kind, frame},
};
use crate::{
    mux::{ClientId, PaneId},
    term::canvas::{Canvas, CanvasCursor, Stretch},
    ui,
};
use ratatui::layout::Rect;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// The shortest time between two frames for one client: 120 a second is more than any terminal shows.
const FRAME: Duration = Duration::from_millis(8);

/// Output this soon after a key is its echo, and is painted at once.
const ECHO: Duration = Duration::from_millis(30);

/// How far each pane had come when a client's canvas was drawn: the emulator's generation.
pub(super) type Drawn = BTreeMap<PaneId, u64>;

/// The screens as `ui` may use them.
struct Screens<'a> {
    screens: &'a BTreeMap<PaneId, super::panes::Screen>,
    drawn: &'a RefCell<Drawn>,
    copies: Option<&'a BTreeMap<PaneId, super::copying::Copying>>,
    theme: &'a crate::config::Theme,
}

impl Screens<'_> {
    /// The client's copy mode over a pane.
    fn copying(&self, pane: PaneId) -> Option<&super::copying::Copying> {
        self.copies?.get(&pane)
    }
}

impl ui::Screens for Screens<'_> {
    fn draw(&self, pane: PaneId, canvas: &mut Canvas, area: Rect) {
        if let Some(screen) = self.screens.get(&pane) {
            let emulator = lock(&screen.emulator);
            if let Some(copying) = self.copying(pane) {
                copying.draw(&emulator, canvas, area, self.theme);
                // What is on the canvas now is of no generation.
                self.drawn.borrow_mut().remove(&pane);
                return;
            }
            emulator.draw(canvas, area, 0);
            self.drawn.borrow_mut().insert(pane, emulator.generation());
        }
    }

    fn redraw(&self, pane: PaneId, canvas: &mut Canvas, area: Rect, touched: &mut Vec<Stretch>) {
        let Some(screen) = self.screens.get(&pane) else { return };
        let before = self.drawn.borrow().get(&pane).copied();
        if let Some(generation) = before
            && self.copying(pane).is_none()
        {
            let emulator = lock(&screen.emulator);
            if emulator.generation() != generation {
                emulator.draw_since(canvas, area, generation, touched);
                self.drawn.borrow_mut().insert(pane, emulator.generation());
            }
            return;
        }
        self.draw(pane, canvas, area);
        touched.extend(Stretch::rows(area));
    }

    fn cursor(&self, pane: PaneId) -> Option<CanvasCursor> {
        let screen = self.screens.get(&pane)?;
        if let Some(copying) = self.copying(pane) {
            return copying.cursor(&lock(&screen.emulator));
        }
        screen.pty.as_ref()?;
        let cursor = lock(&screen.emulator).cursor();
        cursor.visible.then_some(CanvasCursor { x: cursor.x, y: cursor.y, shape: cursor.shape })
    }
}

impl super::attach::Link {
    fn changed(&self) -> bool {
        self.dirty || self.output
    }

    /// Nothing is to be painted.
    pub(super) fn is_still(&self) -> bool {
        !self.changed()
    }
}

impl Server {
    /// Marks every client that shows a pane: its text changed, or also what stands around it.
    pub(super) fn pane_printed(&mut self, pane: PaneId, around: bool) {
        for (id, link) in &mut self.links {
            let shown = self
                .state
                .shown_window(*id)
                .is_some_and(|w| if w.zoomed { w.active == pane } else { w.contains(pane) });
            link.output |= shown;
            link.dirty |= shown && around;
        }
    }

    /// Marks one client.
    pub(super) fn dirty(&mut self, client: ClientId) {
        if let Some(link) = self.links.get_mut(&client) {
            link.dirty = true;
        }
    }

    /// Marks every client.
    pub(super) fn dirty_all(&mut self) {
        for link in self.links.values_mut() {
            link.dirty = true;
        }
    }

    fn paint_at(link: &super::attach::Link, now: Instant) -> Instant {
        let echo = link.last_key.is_some_and(|key| now.duration_since(key) < ECHO);
        if echo { now } else { link.painted + FRAME }
    }

    /// When the loop must wake for a frame.
    pub(super) fn next_paint(&self, now: Instant) -> Option<Instant> {
        self.links.values().filter(|l| l.changed() && !l.in_flight).map(|l| Self::paint_at(l, now)).min()
    }

    /// Paints every client that is due.
    pub(super) fn paint_due(&mut self) {
        let now = Instant::now();
        let due: Vec<ClientId> = self
            .links
            .iter()
            .filter(|(_, l)| l.changed() && !l.in_flight && Self::paint_at(l, now) <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.paint(id, now);
        }
    }

    fn paint(&mut self, id: ClientId, now: Instant) {
        self.follow_copies(id);
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut canvas = std::mem::replace(&mut link.canvas, Canvas::new(0, 0));
        let drawn = RefCell::new(std::mem::take(&mut link.drawn));
        let whole = link.dirty;
        let mut touched = Vec::new();
        // Most frames show that a pane printed something: then only its changed cells are drawn and compared.
        if whole || !self.draw(id, &drawn, "", |scene| ui::output(scene, &mut canvas, &mut touched)) {
            self.draw(id, &drawn, &self.clock(), |scene| ui::frame(scene, &mut canvas));
            touched.clear();
            touched.extend(Stretch::rows(canvas.area()));
        }
        touched.sort_unstable();
        let drawn = drawn.into_inner();
        let Some(link) = self.links.get_mut(&id) else { return };
        let frame_bytes = link.writer.render_cells(&canvas, touched.into_iter());
        link.canvas = canvas;
        link.drawn = drawn;
        link.dirty = false;
        link.output = false;
        link.painted = now;
        let mut bytes = self.attune(id);
        bytes.extend(frame_bytes);
        let Some(link) = self.links.get_mut(&id) else { return };
        if bytes.is_empty() {
            return;
        }
        if let Some(terminal) = &mut link.terminal {
            link.in_flight = !terminal.write(&bytes);
            return;
        }
        match link.out.try_send(Out::Paint(frame(Kind::Paint, &bytes))) {
            Ok(()) => link.in_flight = true,
            Err(_) => {
                // The frame did not leave, so what the writer believes was sent is wrong.
                link.writer.invalidate();
                link.attuned.doubt();
                link.dirty = true;
                link.in_flight = true;
                let connection = link.connection;
                self.tasks.after(FRAME * 4, move |server| server.client_drained(connection));
            }
        }
    }

    /// Everything that a client's frame is made from.
    pub(super) fn with_scene<T>(&self, id: ClientId, then: impl FnOnce(&ui::Scene<'_>) -> T) -> T {
        self.draw(id, &RefCell::default(), &self.clock(), then)
    }

    fn draw<T>(
        &self,
        id: ClientId,
        drawn: &RefCell<Drawn>,
        clock: &str,
        then: impl FnOnce(&ui::Scene<'_>) -> T,
    ) -> T {
        let home = self.links.get(&id).and_then(|l| l.env.get("HOME")).map_or("", String::as_str);
        let copies = self.links.get(&id).map(|link| &link.copies);
        let plain = self.links.get(&id).is_some_and(|link| link.plain);
        let theme = if plain { &self.plain_theme } else { &self.theme };
        let screens = Screens { screens: &self.screens, drawn, copies, theme };
        let scene = ui::Scene {
            state: &self.state,
            client: id,
            screens: &screens,
            theme,
            reference: self.keys.reference(),
            home: std::path::Path::new(home),
            clock,
            now: Self::now(),
        };
        then(&scene)
    }

    /// The clock of the status line.
    fn clock(&self) -> String {
        if self.settings.clock.is_empty() {
            return String::new();
        }
        jiff::Zoned::now().strftime(&self.settings.clock).to_string()
    }

    /// What a pane shows.
    pub(super) fn emulator(
        &self,
        pane: PaneId,
    ) -> Option<Arc<std::sync::Mutex<crate::term::emulator::Emulator>>> {
        self.screens.get(&pane).map(|s| s.emulator.clone())
    }
}
