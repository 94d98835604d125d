//! The one connection of a supervisor on which it takes orders.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{io::AsyncWriteExt as _, net::UnixStream, sync::mpsc};
use windlass_supervisor::protocol::{Event, Order, VERSION};

use super::{
    Shared,
    frames::{self, Frames},
    locked,
    process::{Carrier, Ending, How, State},
    room::{Presence, Room},
};

/// The way to give orders, and the connection that they take.
pub(super) struct Control {
    orders: mpsc::UnboundedSender<Vec<u8>>,
    line: OwnedFd,
}

impl Control {
    pub(super) fn send(&self, order: Vec<u8>) -> bool {
        self.orders.send(order).is_ok()
    }

    /// Whether there is nobody at its other end any more. The system knows before whoever waits on it has been told.
    pub(super) fn has_hung_up(&self) -> bool {
        let mut line = [PollFd::new(&self.line, PollFlags::RDHUP)];
        let polled = poll(&mut line, Some(&Timespec::default()));
        polled.is_ok_and(|_| line[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP))
    }

    fn leads_to(&self, orders: &mpsc::UnboundedSender<Vec<u8>>) -> bool {
        self.orders.same_channel(orders)
    }
}

/// Serves it until it breaks off, or another one takes its place.
pub(super) async fn attend(
    shared: &Arc<Shared>,
    room: &Arc<Room>,
    stream: UnixStream,
    version: u32,
    processes: &[String],
) -> io::Result<()> {
    let line = stream.as_fd().try_clone_to_owned()?;
    let (hearing, mut speaking) = stream.into_split();
    let welcome = Order::Welcome { version: VERSION };
    speaking.write_all(&frames::message(&welcome)?).await?;
    if version != VERSION {
        room.presence.send_replace(Presence::Foreign(version));
        return Ok(());
    }
    let (sender, mut orders) = mpsc::unbounded_channel();
    let mine = sender.clone();
    *locked(&room.control) = Some(Control { orders: sender, line });
    shared.listen(room);
    shared.compare(room, processes).await;
    room.presence.send_replace(Presence::There);
    let mut frames = Frames::new(hearing);
    let ended = tokio::select! {
        ended = hear(room, &mut frames) => ended,
        ended = async {
            while let Some(order) = orders.recv().await {
                speaking.write_all(&order).await?;
            }
            Ok(())
        } => ended,
        () = replaced(room, &mine) => return Ok(()),
    };
    let mut control = locked(&room.control);
    if control.as_ref().is_some_and(|control| control.leads_to(&mine)) {
        *control = None;
        room.presence.send_replace(Presence::Awaited);
        // Nobody may be listening.
        let _ = shared.departed.send(room.id.clone());
    }
    ended
}

async fn hear<S: tokio::io::AsyncRead + Unpin>(
    room: &Room,
    frames: &mut Frames<S>,
) -> io::Result<()> {
    while let Some(frame) = frames.next().await? {
        match frame.message()? {
            Event::Alive { .. } => {}
            Event::Taken { port, error } => tracing::warn!(
                container = room.id,
                port,
                error,
                "something else listens where the way out should be"
            ),
        }
    }
    Ok(())
}

/// Until another connection gives the orders.
async fn replaced(room: &Room, mine: &mpsc::UnboundedSender<Vec<u8>>) {
    // It may have been before anybody listened.
    let mut presence = room.presence.subscribe();
    while locked(&room.control).as_ref().is_some_and(|control| control.leads_to(mine)) {
        if presence.changed().await.is_err() {
            return;
        }
    }
}

impl Shared {
    /// Tells a supervisor on which ports of loopback it stands for the world.
    pub(super) fn listen(&self, room: &Room) {
        room.send(&Order::Listen { ports: self.ports(room) });
    }

    /// Compares what the supervisor runs with what it should.
    async fn compare(self: &Arc<Self>, room: &Arc<Room>, processes: &[String]) {
        let ours = self.unfinished(|entry| {
            entry.origin.container == room.id && entry.origin.carrier == Carrier::Supervisor
        });
        for entry in ours {
            let running = entry.view.borrow().state == State::Running;
            if !running || processes.contains(&entry.origin.id) {
                continue;
            }
            match entry.wanted() {
                // The order may not have got there. It is carried out once, however often it is given.
                Some(_) => self.order(&entry),
                None => {
                    let why = "the supervisor does not know it any more";
                    self.finish(&entry, Ending::of(&entry, How::Lost, why)).await;
                }
            }
        }
        self.launch_waiting(&room.id).await;
    }
}
