//! Contradictions between settings, found before anything starts.

use std::fmt;
use std::time::Duration;

use super::{Aws, Catalog, Config, Database, Engine, Http, Secrets};

/// What looks wrong but works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is wrong with the settings, a sentence each. No value that may be secret is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<Warning>,
}

impl Findings {
    fn wrong_if(&mut self, wrong: bool, message: &str) {
        if wrong {
            self.problems.push(message.to_owned());
        }
    }

    fn warn_if(&mut self, odd: bool, message: &str) {
        if odd {
            self.warnings.push(Warning(message.to_owned()));
        }
    }

    fn more_than_zero(&mut self, settings: &[(&str, bool)]) {
        for (name, zero) in settings {
            self.wrong_if(*zero, &format!("{name} must be more than zero"));
        }
    }
}

impl Config {
    /// Finds everything that is wrong, or gives what looks wrong.
    pub fn check(&self) -> Result<Vec<Warning>, Problems> {
        let mut findings = Findings::default();
        self.http.check(&mut findings);
        self.database.check(&mut findings);
        self.secrets.check(&mut findings);
        self.engine.check(&self.aws, &mut findings);
        self.aws.check(&mut findings);
        self.catalog.check(&mut findings);
        findings.warn_if(
            self.http.shutdown_grace < self.aws.call_timeout,
            "--shutdown-grace is shorter than --call-timeout: a stop cuts calls to AWS off, and the next replica waits them out",
        );
        if findings.problems.is_empty() { Ok(findings.warnings) } else { Err(Problems(findings.problems)) }
    }
}

impl Http {
    fn check(&self, findings: &mut Findings) {
        findings.more_than_zero(&[
            ("--request-timeout", self.request_timeout.is_zero()),
            ("--sync-wait", self.sync_wait.is_zero()),
            ("--max-body", self.max_body == 0),
            ("--max-requests", self.max_requests == 0),
        ]);
        findings.wrong_if(
            self.tls_cert.is_some() != self.tls_key.is_some(),
            "--tls-cert and --tls-key belong together: give both or none",
        );
        findings.wrong_if(
            self.metrics_listen.is_some_and(|listen| listen == self.listen && listen.port() != 0),
            "--metrics-listen is the same address as --listen: leave it out to serve metrics there",
        );
        findings.wrong_if(
            self.sync_wait >= self.request_timeout,
            "--sync-wait must be shorter than --request-timeout, or a slow bind would be cut off without its sentence",
        );
        findings.warn_if(
            self.tls_cert.is_none() && !self.listen.ip().is_loopback(),
            "passwords and credentials travel unencrypted on --listen unless something before the broker ends TLS",
        );
    }
}

impl Database {
    fn check(&self, findings: &mut Findings) {
        findings.problems.extend(self.database_url.problem().map(str::to_owned));
        findings.wrong_if(
            self.database_pool < 6,
            "--database-pool must be 6 or more: requests, turns and transactions have a third each, and the listener has one of the last",
        );
        findings.more_than_zero(&[("--database-acquire-timeout", self.database_acquire_timeout.is_zero())]);
    }
}

impl Secrets {
    fn check(&self, findings: &mut Findings) {
        findings.wrong_if(
            self.master_key_file.is_none() && self.master_key_kms.is_none(),
            "there is no master key: give CHANDLERY_MASTER_KEY_FILE (`chandlery keys generate` makes one) or \
             CHANDLERY_MASTER_KEY_KMS",
        );
        findings.wrong_if(
            self.master_key_file.is_some() && self.master_key_kms.is_some(),
            "there are two master keys: give either CHANDLERY_MASTER_KEY_FILE or CHANDLERY_MASTER_KEY_KMS",
        );
        // An alias may be moved to another key, and then no ring key would unwrap any more.
        let is_key = |arn: &str| arn.starts_with("arn:") && arn.contains(":kms:") && arn.contains(":key/");
        findings.wrong_if(
            self.master_key_kms.as_deref().is_some_and(|arn| !is_key(arn)),
            "CHANDLERY_MASTER_KEY_KMS must be the ARN of a key, of the form arn:aws:kms:REGION:ACCOUNT:key/ID, not an alias",
        );
    }
}

impl Engine {
    fn check(&self, aws: &Aws, findings: &mut Findings) {
        findings.more_than_zero(&[
            ("--renew-every", self.renew_every.is_zero()),
            ("--backoff", self.backoff.is_zero()),
            ("--poll-interval", self.poll_interval.is_zero()),
            ("--workers", self.workers == 0),
            ("--sync-workers", self.sync_workers == 0),
            ("--per-target", self.per_target == 0),
        ]);
        findings.wrong_if(
            self.lease < aws.call_timeout.saturating_mul(2),
            "--lease must be at least twice --call-timeout: a call starts only if the lease outlasts it",
        );
        findings.wrong_if(
            self.renew_every.saturating_mul(3) > self.lease,
            "--lease must be at least three times --renew-every, or one slow renewal would lose it",
        );
        findings.wrong_if(
            self.lease.saturating_sub(self.renew_every) <= aws.call_timeout,
            "--lease less --renew-every must be more than --call-timeout, or no call could start just before a renewal",
        );
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        findings.wrong_if(
            !(1..=16).contains(&self.name_prefix.len())
                || !self.name_prefix.starts_with(|first: char| first.is_ascii_lowercase())
                || self.name_prefix.ends_with('-')
                || self.name_prefix.contains("--")
                || !self.name_prefix.bytes().all(legal),
            "--name-prefix must be 1 to 16 of a-z, 0-9 and single dashes, beginning with a letter: it stands in every AWS name",
        );
        findings.warn_if(
            self.tombstones < Duration::from_secs(60 * 60),
            "--tombstones is under an hour: a platform that polls late is told that its deleted instance never was",
        );
        findings.warn_if(
            self.poll_interval > Duration::from_secs(60),
            "--poll-interval is over a minute: work waits that long wherever a notification is lost",
        );
    }
}

impl Aws {
    fn check(&self, findings: &mut Findings) {
        findings.more_than_zero(&[("--attempt-timeout", self.attempt_timeout.is_zero())]);
        findings.wrong_if(
            self.attempt_timeout > self.call_timeout,
            "--attempt-timeout must not be longer than --call-timeout, which holds all attempts",
        );
        if let Some(url) = &self.aws_endpoint_url {
            findings.wrong_if(
                !url.starts_with("http://") && !url.starts_with("https://"),
                "AWS_ENDPOINT_URL must begin with http:// or https://",
            );
            findings.warn_if(true, "AWS_ENDPOINT_URL is set: every call goes there and not to AWS");
        }
    }
}

impl Catalog {
    fn check(&self, findings: &mut Findings) {
        findings.more_than_zero(&[("--reload-interval", self.reload_interval.is_zero())]);
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::config::{DatabaseUrl, duration};

    fn parse(arguments: &str) -> Result<Config, clap::Error> {
        let base = ["broker", "--database-url", "postgres://u:hunter2@db/x", "--master-key-file", "k"];
        let all = base.into_iter().chain(arguments.split_whitespace());
        // Without the environment of whoever runs the tests.
        let command = Config::augment_args(Command::new("broker")).mut_args(|argument| argument.env(Resettable::Reset));
        Config::from_arg_matches(&command.try_get_matches_from(all)?)
    }

    fn check(arguments: &str) -> Result<Vec<Warning>, Problems> {
        parse(arguments).unwrap().check()
    }

    #[test]
    fn defaults_are_sound_and_show_no_password() {
        let config = parse("").unwrap();
        assert_eq!(config.check(), Ok(vec![]));
        assert_eq!(config.engine.lease, Duration::from_secs(40));
        assert_eq!(config.engine.tombstones, Duration::from_secs(7 * 24 * 60 * 60));
        let debug = format!("{config:?}");
        assert!(!debug.contains("hunter2") && debug.contains("postgres://db/x"), "{debug}");
    }

    #[test]
    fn contradictions_are_refused_all_at_once() {
        for (arguments, sentence) in [
            ("--master-key-kms arn:aws:kms:eu-central-1:1:key/x", "two master keys"),
            ("--lease 29s --renew-every 5s", "twice --call-timeout"),
            ("--renew-every 15s", "three times --renew-every"),
            ("--sync-wait 60s", "shorter than --request-timeout"),
            ("--tls-cert c", "belong together"),
            ("--name-prefix -x", "--name-prefix"),
            ("--name-prefix Chandlery", "--name-prefix"),
            ("--attempt-timeout 16s", "--attempt-timeout"),
            ("--workers 0", "--workers must be more than zero"),
            ("--database-pool 5", "6 or more"),
            ("--metrics-listen 127.0.0.1:8080", "same address"),
        ] {
            let arguments = arguments.replace("--name-prefix -x", "--name-prefix=-x");
            let problems = check(&arguments).unwrap_err();
            assert!(problems.0.len() == 1 && problems.0[0].contains(sentence), "{arguments}: {problems}");
        }
        assert_eq!(check("--tls-key k --workers 0 --sync-wait 2m").unwrap_err().0.len(), 3);
        assert!(check("--listen 0.0.0.0:80").unwrap()[0].0.contains("unencrypted"));
    }

    #[test]
    fn no_debug_of_an_address_shows_a_password() {
        for (url, shown) in [
            ("postgres://u:hunter2@db:5432/x?sslmode=disable", "postgres://db:5432/x"),
            ("postgres://db/x?user=u&password=hunter2", "postgres://db/x"),
            ("postgres://u:hunter2?a@db/x", "postgres://…"),
            ("postgres://u:hunter2@x@db/x", "postgres://…"),
            ("postgres://db/x?password=y@hunter2", "postgres://…"),
            ("host=db password=hunter2", "…"),
        ] {
            assert_eq!(format!("{:?}", url.parse::<DatabaseUrl>().unwrap()), shown);
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("40s", 40.0), ("1m 30s", 90.0), ("500ms", 0.5), ("7d", 604_800.0), ("0s", 0.0)] {
            assert!((duration(text).unwrap().as_secs_f64() - seconds).abs() < 1e-9, "{text}");
        }
        for text in ["40", "", "-1s", "soon", "d"] {
            assert!(duration(text).unwrap_err().contains("unit"), "{text}");
        }
        assert!(parse("--lease 40").is_err());
    }

    #[test]
    fn help_does_not_show_the_address_in_the_environment() {
        let command = Config::augment_args(Command::new("broker"));
        let url = command.get_arguments().find(|argument| argument.get_id() == "database_url").unwrap();
        assert!(url.is_hide_env_values_set());
        assert!(command.get_arguments().all(|argument| argument.get_help().is_some()));
    }
}
