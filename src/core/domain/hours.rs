//! Sending windows as readable text: `Mon–Fri 08:00–20:00, Sat 09:00–17:00`.

use std::fmt;

use super::local::{Weekday, Window, Windows};

impl fmt::Display for Window {
    /// Omits the days when the window opens on all of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = stretches(&self.days);
        if !days.is_empty() && self.days.len() < Weekday::ALL.len() {
            write!(f, "{} ", days.join(" "))?;
        }
        write!(f, "{}–{}", String::from(self.from), String::from(self.to))
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.windows.is_empty() {
            return f.write_str("never");
        }
        let windows: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
        f.write_str(&windows.join(", "))?;
        match self.blackouts.len() {
            0 => Ok(()),
            1 => f.write_str(", except on 1 date"),
            dates => write!(f, ", except on {dates} dates"),
        }
    }
}

/// Returns the days in order; three or more in a row become a range.
fn stretches(days: &[Weekday]) -> Vec<String> {
    let mut rest: &[Weekday] = &Weekday::ALL;
    let mut found = Vec::new();
    while let Some(begin) = rest.iter().position(|day| days.contains(day)) {
        rest = &rest[begin..];
        let length = rest.iter().take_while(|day| days.contains(day)).count();
        match &rest[..length] {
            [first, _, .., last] if length > 2 => found.push(format!("{first:?}–{last:?}")),
            few => found.extend(few.iter().map(|day| format!("{day:?}"))),
        }
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Weekday, Window, Windows};

    #[test]
    fn consecutive_weekdays_are_shown_as_a_range() {
        use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
        let window = |days: &[Weekday], from: &str, to: &str| Window {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        let one = |days: &[Weekday]| window(days, "08:00", "20:00").to_string();
        assert_eq!(one(&Weekday::ALL), "08:00–20:00");
        assert_eq!(one(&[Fri, Mon, Tue, Wed, Thu]), "Mon–Fri 08:00–20:00");
        assert_eq!(one(&[Mon, Wed, Sat, Sun]), "Mon Wed Sat Sun 08:00–20:00");
        assert_eq!(one(&[Mon, Tue, Wed, Fri, Sat, Sun]), "Mon–Wed Fri–Sun 08:00–20:00");
        let week = vec![window(&[Mon, Tue, Wed, Thu, Fri], "08:00", "20:00"), window(&[Sat], "09:00", "17:00")];
        let all = |blackouts: &[&str]| Windows {
            windows: week.clone(),
            blackouts: blackouts.iter().map(|date| date.parse().unwrap()).collect(),
        };
        assert_eq!(all(&[]).to_string(), "Mon–Fri 08:00–20:00, Sat 09:00–17:00");
        assert!(all(&["2026-12-25"]).to_string().ends_with(", except on 1 date"));
        assert!(all(&["2026-12-25", "2027-01-01"]).to_string().ends_with(", except on 2 dates"));
        assert_eq!(Windows { windows: vec![], blackouts: vec![] }.to_string(), "never");
    }
}
