//! A way to a server that can be cut, to see what a broken network does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};

/// A way to the server that is cut, or stands still, after so many bytes to it, or from it, until it is mended.
pub struct Cut {
    pub port: u16,
    counted: Arc<Counted>,
}

/// Which bytes are counted: those to the server, or from it.
#[derive(Clone, Copy)]
enum Which {
    To,
    From,
}

/// What is done when it is cut, once.
type Then = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// What of the way to the server is counted.
struct Counted {
    left: AtomicI64,
    passed: AtomicI64,
    then: Then,
    /// Set where nothing passes until it is mended, and nothing breaks either.
    held: Mutex<bool>,
    mended: Condvar,
    /// Set where what stood still broke off.
    snapped: AtomicBool,
    meeting: Option<Meeting>,
}

/// Where two connections wait for each other.
struct Meeting {
    /// So much of its own each of them has sent then.
    after: i64,
    both: Barrier,
    came: AtomicUsize,
}

impl Cut {
    pub fn before(port: u16, bytes: i64) -> Self {
        Self::with(port, bytes, || {})
    }

    /// As [`Cut::before`], but nobody notices: what was sent does not arrive.
    pub fn holding(port: u16, bytes: i64) -> Self {
        Self::new(port, Which::To, bytes, true, None, Box::new(|| {}))
    }

    /// A way that is never cut, and on which two connections wait for each other once each has sent so many bytes: neither can be
    /// over before the other has begun.
    #[cfg(target_os = "linux")]
    pub fn meeting(port: u16, bytes: i64) -> Self {
        let meeting = Meeting {
            after: bytes,
            both: Barrier::new(2),
            came: AtomicUsize::new(0),
        };
        Self::new(
            port,
            Which::To,
            i64::MAX / 2,
            false,
            Some(meeting),
            Box::new(|| {}),
        )
    }

    /// As [`Cut::with`], but it is the bytes from the server that are counted.
    pub fn answers_with(port: u16, bytes: i64, then: impl FnOnce() + Send + 'static) -> Self {
        Self::new(port, Which::From, bytes, false, None, Box::new(then))
    }

    /// As [`Cut::holding`], for the bytes from the server.
    pub fn holding_answers(port: u16, bytes: i64) -> Self {
        Self::new(port, Which::From, bytes, true, None, Box::new(|| {}))
    }

    /// The same, where something else ends at that moment: the server, say.
    pub fn with(port: u16, bytes: i64, then: impl FnOnce() + Send + 'static) -> Self {
        Self::new(port, Which::To, bytes, false, None, Box::new(then))
    }

    fn new(
        port: u16,
        which: Which,
        bytes: i64,
        held: bool,
        meeting: Option<Meeting>,
        then: Box<dyn FnOnce() + Send>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let counted = Arc::new(Counted {
            left: AtomicI64::new(bytes),
            passed: AtomicI64::new(0),
            then: Mutex::new(Some(then)),
            held: Mutex::new(held),
            mended: Condvar::new(),
            meeting,
            snapped: AtomicBool::new(false),
        });
        let ours = counted.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let one = counted.clone();
                let (to, from) = match which {
                    Which::To => (Some(one), None),
                    Which::From => (None, Some(one)),
                };
                std::thread::spawn(move || pass(&up, &down, to.as_deref()));
                std::thread::spawn(move || pass(&server, &client, from.as_deref()));
            }
        });
        Self {
            port: own,
            counted: ours,
        }
    }

    /// Bytes that arrived.
    pub fn passed(&self) -> i64 {
        self.counted.passed.load(Ordering::SeqCst)
    }

    /// Whether what is on its way stands still, or will.
    pub fn holds(&self) -> bool {
        *self.counted.held.lock().unwrap()
    }

    /// Whether it was cut, or stood still, since it was mended last.
    pub fn happened(&self) -> bool {
        self.counted.left.load(Ordering::SeqCst) < 0
    }

    /// How many connections have met another one.
    #[cfg(target_os = "linux")]
    pub fn met(&self) -> usize {
        let meeting = self.counted.meeting.as_ref();
        meeting.map_or(0, |meeting| meeting.came.load(Ordering::SeqCst))
    }

    /// Nothing passes from now on.
    pub fn now(&self) {
        self.counted.left.store(-1, Ordering::SeqCst);
    }

    /// What stands still breaks off.
    pub fn snap(&self) {
        self.counted.snapped.store(true, Ordering::SeqCst);
        *self.counted.held.lock().unwrap() = false;
        self.counted.mended.notify_all();
    }

    pub fn mend(&self) {
        self.counted.left.store(i64::MAX / 2, Ordering::SeqCst);
        *self.counted.held.lock().unwrap() = false;
        self.counted.mended.notify_all();
    }
}

impl Counted {
    /// Whether so many more may pass: now, or when it has been mended.
    fn allows(&self, bytes: i64) -> bool {
        if self.left.fetch_sub(bytes, Ordering::SeqCst) >= 0 {
            return true;
        }
        if let Some(then) = self.then.lock().unwrap().take() {
            then();
        }
        let mut held = self.held.lock().unwrap();
        let waits = *held;
        while *held {
            held = self.mended.wait(held).unwrap();
        }
        waits && !self.snapped.load(Ordering::SeqCst)
    }

    /// Waits for the other connection when this one comes to where they meet: it had sent `before`, and sends so much more.
    fn meets(&self, before: i64, bytes: i64) {
        let Some(meeting) = &self.meeting else { return };
        if before < meeting.after && before + bytes >= meeting.after {
            meeting.both.wait();
            meeting.came.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, counted: Option<&Counted>) {
    let mut piece = [0_u8; 16 * 1024];
    let mut own = 0;
    while let Ok(read) = from.read(&mut piece) {
        let bytes = i64::try_from(read).unwrap();
        let spent = counted.is_some_and(|counted| {
            counted.meets(own, bytes);
            !counted.allows(bytes)
        });
        own += bytes;
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
