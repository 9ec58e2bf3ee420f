//! `Peers`: the exchange between the tasks of one process, over channels.

use crossbeam_channel::{Receiver, Sender, unbounded};
use monsoon_circuit::{Delta, Error, Exchange, Result, TaskPlace};

/// A task's lines to the others. At most one message per exchange and peer is on its way, so the channels need no bound.
pub(crate) struct Peers {
    place: TaskPlace,
    send: Vec<Sender<Delta>>,
    receive: Vec<Receiver<Delta>>,
}

impl Peers {
    /// The lines of `tasks` tasks that all know each other.
    pub fn all(tasks: usize) -> Vec<Peers> {
        let mut send: Vec<Vec<Sender<Delta>>> = vec![Vec::new(); tasks];
        let mut receive: Vec<Vec<Receiver<Delta>>> = vec![Vec::new(); tasks];
        for from in send.iter_mut() {
            for to in receive.iter_mut() {
                let (sender, receiver) = unbounded();
                from.push(sender);
                to.push(receiver);
            }
        }
        let lines = send.into_iter().zip(receive).enumerate();
        lines.map(|(task, (send, receive))| Peers { place: TaskPlace { task, tasks }, send, receive }).collect()
    }
}

impl Exchange for Peers {
    fn place(&self) -> TaskPlace {
        self.place
    }

    fn exchange(&mut self, parts: Vec<Delta>) -> Result<Delta> {
        for (to, part) in parts.into_iter().enumerate() {
            self.send[to].send(part).map_err(|_| Error::PeerStopped)?;
        }
        let mut all = Delta::empty();
        for from in &self.receive {
            all.extend(from.recv().map_err(|_| Error::PeerStopped)?);
        }
        Ok(all)
    }
}
