//! Failures of the layers below as one sentence and a hint: each crate's own `report`, behind one `?`.

use lapwing_core::Report;

/// `.reported()?` on a result of any layer below.
pub(crate) trait Reported<T> {
    /// The value, or what a person is told.
    fn reported(self) -> Result<T, Report>;
}

macro_rules! reported {
    ($($error:ty),*) => {
        $(impl<T> Reported<T> for Result<T, $error> {
            fn reported(self) -> Result<T, Report> {
                self.map_err(|error| error.report())
            }
        })*
    };
}
reported!(
    lapwing_store::Error,
    lapwing_remote::Error,
    lapwing_monitor::Error,
    lapwing_data::Error,
    lapwing_jobs::Error,
    lapwing_tracking::Error,
    lapwing_pipeline::Error,
    lapwing_serving::Error
);
