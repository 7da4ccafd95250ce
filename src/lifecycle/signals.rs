//! The signals of an operator or a service manager, as a stream.

use futures_util::Stream;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::signal::unix::{self, SignalKind};

/// A signal that the daemon handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    /// SIGTERM: shut down.
    Terminate,
    /// SIGINT, Ctrl-C: shut down.
    Interrupt,
    /// SIGHUP: reload certificates and settings.
    Hangup,
}

impl ProcessSignal {
    /// The exit code that a shell reports after this signal: 128 plus its number.
    pub fn exit_code(self) -> u8 {
        128 + match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// The signals as they arrive. From [`SignalStream::listen`] on they no longer end the process.
///
/// Several of one kind in a row may arrive as one.
#[derive(Debug)]
pub struct SignalStream {
    kinds: [(ProcessSignal, unix::Signal); 3],
}

impl SignalStream {
    /// Installs the handlers.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let kind = |signal, kind| Ok::<_, io::Error>((signal, unix::signal(kind)?));
        Ok(Self {
            kinds: [
                kind(ProcessSignal::Terminate, SignalKind::terminate())?,
                kind(ProcessSignal::Interrupt, SignalKind::interrupt())?,
                kind(ProcessSignal::Hangup, SignalKind::hangup())?,
            ],
        })
    }
}

impl Stream for SignalStream {
    type Item = ProcessSignal;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ProcessSignal>> {
        for (signal, arrivals) in &mut self.kinds {
            if arrivals.poll_recv(cx) == Poll::Ready(Some(())) {
                return Poll::Ready(Some(*signal));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessSignal, SignalStream};
    use futures_util::StreamExt;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn signals_arrive_instead_of_ending_the_process() {
        let mut signals = SignalStream::listen().unwrap();
        for (number, signal) in [
            (Number::HUP, ProcessSignal::Hangup),
            (Number::INT, ProcessSignal::Interrupt),
            (Number::TERM, ProcessSignal::Terminate),
        ] {
            kill_process(getpid(), number).unwrap();
            assert_eq!(signals.next().await, Some(signal));
            assert_eq!(i32::from(signal.exit_code()), 128 + number.as_raw());
        }
    }
}
