//! The single writer of a process: many callers, one transaction, each acknowledged after the commit.

use std::any::Any;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{Error, Result};

/// Work that waits for the writer; whoever comes later waits for a place.
const QUEUE: usize = 1024;
/// One commit carries at most this much work, so that the first caller does not wait for ever.
const MAX_GROUP: usize = 256;

type Answer = Result<Box<dyn Any + Send>>;
type Work = Box<dyn FnOnce(&Transaction<'_>) -> Answer + Send>;

struct Task {
    work: Work,
    done: SyncSender<Answer>,
}

pub(crate) struct Writer {
    queue: SyncSender<Task>,
}

impl Writer {
    /// Starts the thread that owns the writing connection; it ends when the last store is dropped.
    pub fn start(connection: Connection) -> Self {
        let (queue, tasks) = sync_channel(QUEUE);
        std::thread::spawn(move || run(connection, &tasks));
        Self { queue }
    }

    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = sync_channel(1);
        let work: Work =
            Box::new(move |tx| work(tx).map(|value| Box::new(value) as Box<dyn Any + Send>));
        self.queue
            .send(Task { work, done })
            .map_err(|_| Error::WriterGone)?;
        let value = answer.recv().map_err(|_| Error::WriterGone)??;
        value
            .downcast::<T>()
            .map(|value| *value)
            .map_err(|_| Error::WriterGone)
    }
}

fn run(mut connection: Connection, tasks: &Receiver<Task>) {
    while let Ok(first) = tasks.recv() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP {
            let Ok(task) = tasks.try_recv() else { break };
            group.push(task);
        }
        commit(&mut connection, group);
    }
}

/// One transaction for the whole group; work that fails takes back only its own part.
fn commit(connection: &mut Connection, group: Vec<Task>) {
    let mut callers = Vec::with_capacity(group.len());
    let mut answers = Vec::with_capacity(group.len());
    let outcome = (|| -> Result<()> {
        let mut work = Vec::with_capacity(callers.capacity());
        for task in group {
            callers.push(task.done);
            work.push(task.work);
        }
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for work in work {
            tx.execute_batch("SAVEPOINT work")?;
            let answer = work(&tx);
            tx.execute_batch(if answer.is_ok() {
                "RELEASE work"
            } else {
                "ROLLBACK TO work; RELEASE work"
            })?;
            answers.push(answer);
        }
        tx.commit()?;
        Ok(())
    })();
    if let Err(error) = outcome {
        let shared = std::sync::Arc::new(error);
        answers = callers
            .iter()
            .map(|_| Err(Error::Commit(std::sync::Arc::clone(&shared))))
            .collect();
    }
    for (caller, answer) in callers.into_iter().zip(answers) {
        // A caller that went away wants no answer.
        let _ = caller.send(answer);
    }
}
