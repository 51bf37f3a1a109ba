//! A server of this machine, reachable from inside the pod: a program there listens on its loopback, and its connections come
//! here through `exec`. A pod needs no way to this machine for it, and nothing here has to listen to the network.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::pod::{LAST_WORD, Pod, SIGNALLED, ends, exit_code, heard};
use super::{block_on, runtime};
use crate::{Error, Result};

const PROGRAM: &str = include_str!("tunnel.py");
/// After a cut.
const AGAIN: Duration = Duration::from_secs(1);
/// Frames on their way.
const QUEUE: usize = 64;
const PIECE: usize = 32 << 10;
/// A longer frame is not of our program.
const MAX_FRAME: usize = 1 << 20;

type Frame = (u32, Vec<u8>);

/// A free port in the pod; `None` when there is no Python to listen with.
pub(crate) fn free_port(pod: &Pod) -> Result<Option<u16>> {
    block_on(async {
        let mut process = pod.exec(&["python3", "-c", PROGRAM, "find"], false).await?;
        let (status, stdout) = (process.take_status(), process.stdout());
        let ending = async {
            let said = heard(stdout).await;
            let status = match status {
                Some(status) => status.await,
                None => None,
            };
            (said, status)
        };
        let (said, status) = tokio::select! {
            ended = ending => ended,
            error = ends(pod) => return Err(error),
        };
        process.abort();
        // Only the program's own end says that there is none; a cut says nothing about the image.
        let Some(status) = status else {
            return Err(pod.why_cut().await);
        };
        match exit_code(&status) {
            Some(code) if code > SIGNALLED && pod.ends_within(LAST_WORD).await => {
                Err(Error::NoPod {
                    cluster: pod.cluster.name().to_owned(),
                })
            }
            Some(0) => Ok(said.parse().ok()), // No number: not our program.
            Some(_) | None => pod.lives().await.map(|_| None),
        }
    })?
}

/// Keeps the ways open for as long as it lives, over all cuts.
pub(crate) struct Reverse {
    ways: JoinSet<()>,
}

impl Reverse {
    /// `tunnels` lead from ports of this machine to ports there.
    pub fn start(pod: &Pod, tunnels: &BTreeMap<u16, u16>) -> Result<Self> {
        let runtime = runtime()?;
        let mut ways = JoinSet::new();
        for (here, there) in tunnels {
            ways.spawn_on(keep(pod.clone(), *here, *there), runtime.handle());
        }
        Ok(Self { ways })
    }
}

impl Drop for Reverse {
    fn drop(&mut self) {
        self.ways.abort_all();
    }
}

async fn keep(pod: Pod, here: u16, there: u16) {
    loop {
        if let Err(error) = lead(&pod, here, there).await {
            tracing::debug!(%error, "no tunnel");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Until the connection is cut.
async fn lead(pod: &Pod, here: u16, there: u16) -> Result<()> {
    let port = there.to_string();
    let mut process = pod
        .exec(&["python3", "-c", PROGRAM, "serve", &port], true)
        .await?;
    let (Some(stdin), Some(stdout)) = (process.stdin(), process.stdout()) else {
        return Ok(());
    };
    let (out, queue) = mpsc::channel(QUEUE);
    tokio::select! {
        () = send(stdin, queue) => {}
        () = receive(stdout, here, out) => {}
        error = ends(pod) => return Err(error),
    }
    process.abort();
    Ok(())
}

async fn send(mut stdin: impl tokio::io::AsyncWrite + Unpin, mut queue: mpsc::Receiver<Frame>) {
    while let Some((number, data)) = queue.recv().await {
        let size = u32::try_from(data.len()).unwrap_or_default();
        let mut frame = [number.to_be_bytes(), size.to_be_bytes()].concat();
        frame.extend(data);
        if stdin.write_all(&frame).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn receive(
    mut stdout: impl tokio::io::AsyncRead + Unpin,
    here: u16,
    out: mpsc::Sender<Frame>,
) {
    let mut open: HashMap<u32, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let (Ok(number), Ok(size)) = (stdout.read_u32().await, stdout.read_u32().await) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_FRAME {
            return;
        }
        let mut data = vec![0; size];
        if stdout.read_exact(&mut data).await.is_err() {
            return;
        }
        if data.is_empty() {
            open.remove(&number);
            continue;
        }
        let to = open.entry(number).or_insert_with(|| {
            let (to, from) = mpsc::channel(QUEUE);
            tasks.spawn(connection(here, number, from, out.clone()));
            to
        });
        if to.send(data).await.is_err() {
            open.remove(&number);
        }
        while tasks.try_join_next().is_some() {}
    }
}

/// One connection: what comes from there goes to the server here, and back.
async fn connection(
    here: u16,
    number: u32,
    mut from: mpsc::Receiver<Vec<u8>>,
    out: mpsc::Sender<Frame>,
) {
    if let Ok(server) = TcpStream::connect(("127.0.0.1", here)).await {
        let (mut reader, mut writer) = server.into_split();
        let mut piece = vec![0; PIECE];
        loop {
            tokio::select! {
                data = from.recv() => match data {
                    Some(data) => if writer.write_all(&data).await.is_err() { break },
                    None => break,
                },
                read = reader.read(&mut piece) => match read {
                    Ok(size @ 1..) => {
                        let data = piece.get(..size).unwrap_or_default().to_vec();
                        if out.send((number, data)).await.is_err() { break }
                    }
                    Ok(_) | Err(_) => break,
                },
            }
        }
    }
    // The whole way may be cut: then nobody waits for this.
    let _ = out.send((number, Vec::new())).await;
}
