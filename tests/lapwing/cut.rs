//! A way to a server that can be cut, to see what a broken network does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A way to the server that is cut after so many bytes to it, until it is mended.
pub struct Cut {
    pub port: u16,
    left: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
}

impl Cut {
    pub fn before(port: u16, bytes: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let left = Arc::new(AtomicI64::new(bytes));
        let own = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicI64::new(0));
        let (budget, count) = (left.clone(), passed.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (budget, count) = (budget.clone(), count.clone());
                std::thread::spawn(move || pass(&up, &down, Some((&budget, &count))));
                std::thread::spawn(move || pass(&server, &client, None));
            }
        });
        Self {
            port: own,
            left,
            passed,
        }
    }

    /// Bytes that reached the server.
    pub fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Whether it was cut since it was mended last.
    pub fn happened(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    pub fn mend(&self) {
        self.left.store(i64::MAX / 2, Ordering::SeqCst);
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, counted: Option<(&AtomicI64, &AtomicI64)>) {
    let mut piece = [0_u8; 16 * 1024];
    while let Ok(read) = from.read(&mut piece) {
        let bytes = i64::try_from(read).unwrap();
        let spent = counted.is_some_and(|(left, _)| left.fetch_sub(bytes, Ordering::SeqCst) < 0);
        if read == 0 || spent || to.write_all(&piece[..read]).is_err() {
            break;
        }
        if let Some((_, passed)) = counted {
            passed.fetch_add(bytes, Ordering::SeqCst);
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
