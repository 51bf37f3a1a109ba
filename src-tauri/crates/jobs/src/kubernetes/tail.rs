//! The end of the log of a pod that is dead: what nobody could follow to its last byte.

use futures_util::{AsyncRead, AsyncReadExt as _};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Api;
use kube::api::LogParams;

use super::cluster::{Cluster, bounded};
use crate::{Result, ssh};

/// Behind what is here already, no more than this is read.
const MOST: u64 = 64 << 20;
const PIECE: usize = 64 << 10;

/// Appends what the container of a pod has said behind its first `known` bytes.
pub(super) async fn append(
    cluster: &Cluster,
    (pod, container): (&str, &str),
    known: u64,
    to: &mut impl std::io::Write,
) -> Result<()> {
    let connected = cluster.connected().await?;
    let pods: Api<ApiPod> = Api::namespaced(connected.client, &connected.namespace);
    let how = LogParams {
        container: Some(container.to_owned()),
        ..LogParams::default()
    };
    let log = bounded(cluster, pods.log_stream(pod, &how)).await?;
    append_behind(Box::pin(log), known, MOST, to).await
}

/// As much of it as may be: it never lies in memory as a whole.
async fn append_behind(
    mut log: impl AsyncRead + Unpin,
    known: u64,
    most: u64,
    to: &mut impl std::io::Write,
) -> Result<()> {
    let (mut pass, mut left) = (known, most);
    let mut piece = vec![0; PIECE];
    loop {
        let read = log.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        let passed = usize::try_from(pass).unwrap_or(usize::MAX).min(read);
        pass -= passed as u64;
        let new = piece.get(passed..read).unwrap_or_default();
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(new.len());
        to.write_all(new.get(..taken).unwrap_or_default())?;
        left -= taken as u64;
        if taken < new.len() {
            return Ok(writeln!(
                to,
                "\n(the rest of its log is left out: it has more than {})",
                ssh::size(known.saturating_add(most))
            )?);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::io::{Cursor, repeat};

    use super::*;
    use crate::kubernetes::block_on;

    fn appended(log: impl AsyncRead + Unpin, known: u64, most: u64) -> String {
        let mut to = Vec::new();
        block_on(append_behind(log, known, most, &mut to))
            .expect("a runtime")
            .expect("appended");
        String::from_utf8(to).expect("a text")
    }

    #[test]
    fn the_tail_of_a_log_is_what_is_not_here_yet() {
        assert_eq!(appended(Cursor::new("one\ntwo\n"), 4, 100), "two\n");
        assert_eq!(appended(Cursor::new("one\n"), 9, 100), "");
    }

    #[test]
    fn a_log_without_an_end_is_cut() {
        let log = appended(repeat(b'x'), 100_000, 200_000);
        assert!(log.starts_with(&"x".repeat(200_000)), "as much as may be");
        assert_eq!(
            log.trim_start_matches('x'),
            "\n(the rest of its log is left out: it has more than 300.0 kB)\n"
        );
    }
}
