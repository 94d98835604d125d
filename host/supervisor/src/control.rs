//! The connection for orders: dialled for ever, each order carried out at once.

use std::{io, rc::Rc, time::Duration};

use serde_json::from_slice;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, sleep_until, timeout},
};
use windlass_supervisor::{
    frames::message,
    protocol::{Event, Hello, Kind, Order, Start, VERSION},
};

use crate::{
    link::{Link, Pause, dial},
    running,
    supervisor::{Nudge, Supervisor},
    tunnels::Listeners,
};

/// How long a host may take to welcome us before it is dialled again.
const WELCOME: Duration = Duration::from_secs(10);
/// How long until a host that speaks another version is tried again: another one may have taken its place.
const OTHER_VERSION: Duration = Duration::from_secs(5);

/// Serves one host after the other.
pub(crate) async fn serve(supervisor: Rc<Supervisor>) {
    let (events, mut happened) = unbounded_channel();
    let mut listeners = Listeners::default();
    let mut pause = Pause::none();
    loop {
        sleep_until(pause.until).await;
        pause.lengthen();
        let Ok(stream) = dial(&supervisor.socket) else { continue };
        let mut link = Link::new(stream);
        match welcome(&supervisor, &mut link).await {
            Ok(true) => {}
            Ok(false) => {
                sleep(OTHER_VERSION).await;
                continue;
            }
            Err(_) => continue,
        }
        pause = Pause::none();
        supervisor.welcomed.send_replace(true);
        let _ = obey(&supervisor, &mut link, &mut listeners, &events, &mut happened).await;
        supervisor.welcomed.send_replace(false);
        pause.lengthen();
    }
}

/// Whether the host speaks our version.
async fn welcome(supervisor: &Supervisor, link: &mut Link) -> io::Result<bool> {
    let processes = supervisor.entries.borrow().keys().cloned().collect();
    link.say(&message(&Hello::Control { version: VERSION, processes }));
    let answered = timeout(WELCOME, async {
        loop {
            if !link.flush()? {
                link.stream().writable().await?;
                continue;
            }
            if let Some((Kind::Message, body)) = link.take()? {
                return Ok(matches!(from_slice(body)?, Order::Welcome { version: VERSION }));
            }
            link.receive().await?;
        }
    });
    answered.await?
}

async fn obey(
    supervisor: &Rc<Supervisor>,
    link: &mut Link,
    listeners: &mut Listeners,
    events: &UnboundedSender<Event>,
    happened: &mut UnboundedReceiver<Event>,
) -> io::Result<()> {
    loop {
        while let Some((kind, body)) = link.take()? {
            if kind == Kind::Message {
                carry_out(supervisor, from_slice(body)?, listeners, events);
            }
        }
        while let Ok(event) = happened.try_recv() {
            link.say(&message(&event));
        }
        if link.flush()? {
            tokio::select! {
                received = link.receive() => received?,
                event = happened.recv() => link.say(&message(&event)),
            }
        } else {
            link.stream().writable().await?;
        }
    }
}

fn carry_out(
    supervisor: &Rc<Supervisor>,
    order: Order,
    listeners: &mut Listeners,
    events: &UnboundedSender<Event>,
) {
    match order {
        Order::Welcome { .. } => {}
        Order::Listen { ports } => {
            for (port, error) in listeners.listen(supervisor, &ports) {
                let _ = events.send(Event::Taken { port, error });
            }
        }
        Order::Start(order) => start(supervisor, order),
        Order::Dial { ticket, port } => {
            tokio::task::spawn_local(crate::tunnels::ingress(Rc::clone(supervisor), ticket, port));
        }
        Order::Ping { ticket } => {
            let _ = events.send(Event::Alive { ticket });
        }
        Order::Cancel { id } => nudge(supervisor, &id, Nudge::Cancel),
    }
}

fn start(supervisor: &Rc<Supervisor>, order: Start) {
    if supervisor.entries.borrow().contains_key(&order.id) {
        return nudge(supervisor, &order.id, Nudge::Dial);
    }
    running::start(supervisor, order);
}

fn nudge(supervisor: &Supervisor, id: &str, nudge: Nudge) {
    if let Some(entry) = supervisor.entries.borrow().get(id) {
        let _ = entry.nudges.send(nudge);
    }
}
