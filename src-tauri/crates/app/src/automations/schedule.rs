//! When a schedule fires: cron's five fields.

use jiff::Zoned;

/// Five fields of cron in the user's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
    /// Cron's rule: with both days given, either of them is enough.
    either_day: bool,
}

/// Reads a cron line; `None` when it is none.
#[must_use]
pub fn parse(text: &str) -> Option<Schedule> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return None;
    };
    Some(Schedule {
        minutes: field(minute, 0, 59)?,
        hours: field(hour, 0, 23)?,
        days: field(day, 1, 31)?,
        months: field(month, 1, 12)?,
        weekdays: field(weekday, 0, 7)?
            .into_iter()
            .map(|day| day % 7)
            .collect(),
        either_day: *day != "*" && *weekday != "*",
    })
}

/// `*`, `5`, `1-5`, `*/15`, `1-30/2`, and lists of these.
fn field(text: &str, from: i8, to: i8) -> Option<Vec<i8>> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = part
            .split_once('/')
            .map_or((part, Some(1)), |(range, step)| (range, step.parse().ok()));
        let step = step.filter(|step: &i8| *step > 0)?;
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (from, to),
            Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
            None => {
                let one: i8 = range.parse().ok()?;
                (one, if part.contains('/') { to } else { one })
            }
        };
        if low < from || high > to || low > high {
            return None;
        }
        values.extend((low..=high).step_by(usize::try_from(step).ok()?));
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

impl Schedule {
    /// Whether a time of the schedule has come since `since`; however many were missed, it is one answer.
    #[must_use]
    pub fn came(&self, since: &Zoned, now: &Zoned) -> bool {
        self.after(since).is_some_and(|at| at <= *now)
    }

    /// The first fitting minute after `now`, within four years.
    #[must_use]
    pub fn after(&self, now: &Zoned) -> Option<Zoned> {
        const MAX_DAYS: u32 = 4 * 366;
        let mut day = now.date();
        for _ in 0..MAX_DAYS {
            let in_month = self.days.contains(&day.day());
            let in_week = self
                .weekdays
                .contains(&day.weekday().to_sunday_zero_offset());
            let fits = if self.either_day {
                in_month || in_week
            } else {
                in_month && in_week
            };
            if fits && self.months.contains(&day.month()) {
                for hour in &self.hours {
                    for minute in &self.minutes {
                        let at = day
                            .at(*hour, *minute, 0, 0)
                            .to_zoned(now.time_zone().clone())
                            .ok()?; // Outside of the calendar.
                        if at > *now {
                            return Some(at);
                        }
                    }
                }
            }
            day = day.tomorrow().ok()?; // The end of the calendar.
        }
        None
    }
}
