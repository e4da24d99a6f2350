//! Receivers as planned: resolved and checked, ready to be built.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::event::Event;
use avwatch_actors::severity::Severity;
use avwatch_actors::silence::fits;

use super::http::server_of;
use crate::config::{MailSecurity, Secret, SeverityPlace};
use crate::secret_url::SecretUrl;

/// Who is told, of what, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Of what it is told.
    pub audience: Audience,
    /// After a message, further changes are gathered for so long.
    pub group_interval: Duration,
    /// Who gets what this one does not take.
    pub fallback: Option<Arc<str>>,
    /// How it is reached.
    pub channel: ChannelPlan,
}

/// Of which events a receiver is told. What is empty does not restrict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Least severity that an event must have had.
    pub from: Severity,
    /// Patterns of streams' names.
    pub streams: Vec<String>,
    /// Patterns of detectors' names.
    pub detectors: Vec<String>,
    /// Labels that must be there.
    pub labels: BTreeMap<String, String>,
    /// Whether ends are told.
    pub recovery: bool,
}

impl Audience {
    /// Whether an event concerns it, whatever its state. The monitor's own events pass all patterns of
    /// streams and labels: they concern everybody who watches streams.
    pub fn concerns(&self, event: &Event) -> bool {
        let any =
            |patterns: &[String], text: &str| patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, text));
        let is_monitor = event.stream.starts_with('@');
        let fits_stream = is_monitor
            || (any(&self.streams, &event.stream)
                && self.labels.iter().all(|(name, value)| event.labels.get(name) == Some(value)));
        event.max_severity >= self.from && fits_stream && any(&self.detectors, &event.detector)
    }
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelPlan {
    /// Standard Webhooks with a CloudEvent.
    Webhook(WebhookPlan),
    /// Alertmanager, API version 2.
    Alertmanager(AlertmanagerPlan),
    /// Slack's incoming webhooks.
    Slack(SlackPlan),
    /// PagerDuty, Events API version 2.
    PagerDuty(PagerDutyPlan),
    /// E-mail.
    Email(EmailPlan),
    /// Apprise API.
    Apprise(ApprisePlan),
    /// A program on this machine.
    Exec(ExecPlan),
    /// SNMP traps, version 2c.
    Snmp(SnmpPlan),
}

impl ChannelPlan {
    /// The word for it in the configuration and the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Alertmanager(_) => "alertmanager",
            Self::Slack(_) => "slack",
            Self::PagerDuty(_) => "pagerduty",
            Self::Email(_) => "email",
            Self::Apprise(_) => "apprise",
            Self::Exec(_) => "exec",
            Self::Snmp(_) => "snmp",
        }
    }
}

impl ChannelPlan {
    /// Where it leads, as it may be shown: of addresses the server alone, their paths may be secret.
    pub fn target(&self) -> String {
        match self {
            Self::Webhook(plan) => server_of(&plan.url),
            Self::Alertmanager(plan) => plan.urls.iter().map(server_of).collect::<Vec<_>>().join(", "),
            Self::Slack(plan) => {
                plan.url.expose().parse::<SecretUrl>().map_or_else(|_| "***".to_owned(), |url| server_of(&url))
            }
            Self::PagerDuty(plan) => server_of(&plan.url),
            Self::Email(plan) => plan.to.join(", "),
            Self::Apprise(plan) => server_of(&plan.url),
            Self::Exec(plan) => plan.program.display().to_string(),
            Self::Snmp(plan) => format!("{}:{}", plan.host, plan.port),
        }
    }
}

/// `[receivers.NAME.webhook]`.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookPlan {
    /// Where to post.
    pub url: SecretUrl,
    /// Secrets that sign, `whsec_…`; none for unsigned messages.
    pub secrets: Vec<Secret>,
    /// Further request headers.
    pub headers: Vec<(String, Secret)>,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.alertmanager]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertmanagerPlan {
    /// All members of the cluster.
    pub urls: Vec<SecretUrl>,
    /// Further labels of every alert.
    pub labels: BTreeMap<String, String>,
    /// Where the severity stands.
    pub severity: SeverityPlace,
    /// How often open alerts are sent again.
    pub resend_every: Duration,
    /// Further request headers.
    pub headers: Vec<(String, Secret)>,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.slack]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SlackPlan {
    /// The incoming webhook; all of it is secret.
    pub url: Secret,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.pagerduty]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PagerDutyPlan {
    /// Integration key.
    pub routing_key: Secret,
    /// Where events are sent.
    pub url: SecretUrl,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.email]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmailPlan {
    /// Those who are told, at least one.
    pub to: Vec<String>,
    /// The sender.
    pub from: String,
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User and password, if the server asks.
    pub credentials: Option<(String, Secret)>,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.apprise]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprisePlan {
    /// The notify endpoint.
    pub url: SecretUrl,
    /// Services to notify, when the server has no stored configuration.
    pub targets: Vec<Secret>,
    /// Tags that choose services of a stored configuration.
    pub tag: Option<String>,
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.exec]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecPlan {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// `[receivers.NAME.snmp]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SnmpPlan {
    /// The trap receiver.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Community.
    pub community: Secret,
    /// The node under which the objects of the MIB stand, at least two arcs.
    pub enterprise_oid: Vec<u32>,
}
