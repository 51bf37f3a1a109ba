//! A way to a server that can be cut, to see what a broken network does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A way to the server that is cut after so many bytes to it, until it is mended.
pub struct Cut {
    pub port: u16,
    left: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
}

/// What is done when it is cut, once.
type Then = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// What of the way to the server is counted.
struct Counted {
    left: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
    then: Then,
}

impl Cut {
    pub fn before(port: u16, bytes: i64) -> Self {
        Self::with(port, bytes, || {})
    }

    /// The same, where something else ends at that moment: the server, say.
    pub fn with(port: u16, bytes: i64, then: impl FnOnce() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let left = Arc::new(AtomicI64::new(bytes));
        let own = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicI64::new(0));
        let counted = Arc::new(Counted {
            left: left.clone(),
            passed: passed.clone(),
            then: Mutex::new(Some(Box::new(then))),
        });
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counted = counted.clone();
                std::thread::spawn(move || pass(&up, &down, Some(&counted)));
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

impl Counted {
    /// Whether so many more may pass.
    fn allows(&self, bytes: i64) -> bool {
        if self.left.fetch_sub(bytes, Ordering::SeqCst) >= 0 {
            return true;
        }
        if let Some(then) = self.then.lock().unwrap().take() {
            then();
        }
        false
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, counted: Option<&Counted>) {
    let mut piece = [0_u8; 16 * 1024];
    while let Ok(read) = from.read(&mut piece) {
        let bytes = i64::try_from(read).unwrap();
        let spent = counted.is_some_and(|counted| !counted.allows(bytes));
        if read == 0 || spent || to.write_all(&piece[..read]).is_err() {
            break;
        }
        if let Some(counted) = counted {
            counted.passed.fetch_add(bytes, Ordering::SeqCst);
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
