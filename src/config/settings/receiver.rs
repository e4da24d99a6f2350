//! `[receivers.NAME]` as written: who is told of events, of which, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::{AddressText, Secret};
use crate::config::span::Span;

/// `[receivers.NAME]`. Exactly one of the tables below its own keys says how it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiverSettings {
    /// Least severity of which it is told.
    pub from: LeastSeverity,
    /// Names of the streams of which it is told; '*' stands for any characters. Default: all.
    #[schemars(extend("examples" = [["news-*"]]))]
    pub streams: Vec<String>,
    /// Names of the detectors of which it is told; '*' stands for any characters. Default: all.
    #[schemars(extend("examples" = [["black", "silence"]]))]
    pub detectors: Vec<String>,
    /// Labels that a stream must have for it to be told.
    #[schemars(extend("examples" = [{"site": "north"}]))]
    pub labels: BTreeMap<String, String>,
    /// Whether it is told when an event is over.
    pub recovery: Recovery,
    /// After a message, further changes are gathered for so long and go out as one. The first one after a calm
    /// leaves at once, and an alarm that is new, or back after a snooze, a silence or a maintenance, within 5 s: five
    /// such messages in a row, then one more with every half of this time, at the latest each minute.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "1h"))]
    pub group_interval: Span,
    /// Receiver that gets what this one does not take.
    #[schemars(extend("examples" = ["my-email"]))]
    pub fallback: Option<String>,
    /// An HTTP endpoint of your own: Standard Webhooks, the body a CloudEvent.
    pub webhook: WebhookSettings,
    /// Prometheus Alertmanager, API version 2.
    pub alertmanager: AlertmanagerSettings,
    /// Slack, or what takes its incoming webhooks.
    pub slack: SlackSettings,
    /// PagerDuty, Events API version 2.
    pub pagerduty: PagerDutySettings,
    /// E-mail.
    pub email: EmailSettings,
    /// An Apprise API server, for about a hundred other services.
    pub apprise: AppriseSettings,
    /// A program on this machine.
    pub exec: ExecSettings,
    /// SNMP traps, version 2c.
    pub snmp: SnmpSettings,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            from: LeastSeverity::Warning,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: BTreeMap::new(),
            recovery: Recovery::default(),
            group_interval: Span(Duration::from_secs(30)),
            fallback: None,
            webhook: WebhookSettings::default(),
            alertmanager: AlertmanagerSettings::default(),
            slack: SlackSettings::default(),
            pagerduty: PagerDutySettings::default(),
            email: EmailSettings::default(),
            apprise: AppriseSettings::default(),
            exec: ExecSettings::default(),
            snmp: SnmpSettings::default(),
        }
    }
}

/// Least severity of which a receiver is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeastSeverity {
    /// Everything.
    Info,
    /// What may concern viewers.
    #[default]
    Warning,
    /// What does concern some of them.
    Minor,
    /// What most of them see or hear.
    Major,
    /// What takes the programme off the air.
    Critical,
}

/// Whether a receiver is told when an event is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// With how long it lasted.
    #[default]
    Send,
    /// Where people look after every message themselves.
    Omit,
}

/// `[receivers.NAME.webhook]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// http or https address to which every message is posted.
    #[schemars(extend("examples" = ["https://alerts.example/hook"]))]
    pub url: Option<AddressText>,
    /// Secret that signs messages: "whsec_" and 24 to 64 bytes in base64. Without one they are not signed.
    #[schemars(extend("examples" = ["${file:/run/secrets/avwatch_webhook}"]))]
    pub secret: Option<Secret>,
    /// Second secret that signs, too, while receivers change from one to the other.
    #[schemars(extend("examples" = ["${file:/run/secrets/avwatch_webhook_next}"]))]
    pub next_secret: Option<Secret>,
    /// Extra request headers, at most 32. Values are never shown.
    #[schemars(extend("examples" = [{"Authorization": "Bearer ${env:HOOK_TOKEN}"}]))]
    pub headers: BTreeMap<String, Secret>,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.alertmanager]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerSettings {
    /// Addresses of all Alertmanagers of a cluster; each is sent everything, and one that takes it is enough.
    #[schemars(extend("examples" = [["http://127.0.0.1:9093"]]))]
    pub urls: Vec<AddressText>,
    /// Further labels of every alert.
    #[schemars(extend("examples" = [{"team": "video"}]))]
    pub labels: BTreeMap<String, String>,
    /// Where the severity stands.
    pub severity: SeverityPlace,
    /// How often open alerts are sent again; Alertmanager resolves those that it has not heard of for 5 minutes.
    #[schemars(extend("x-minimum" = "30s", "x-maximum" = "3m"))]
    pub resend_every: Span,
    /// Extra request headers, at most 32. Values are never shown.
    #[schemars(extend("examples" = [{"Authorization": "Bearer ${env:ALERTMANAGER_TOKEN}"}]))]
    pub headers: BTreeMap<String, Secret>,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

impl Default for AlertmanagerSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            labels: BTreeMap::new(),
            severity: SeverityPlace::default(),
            resend_every: Span(Duration::from_secs(60)),
            headers: BTreeMap::new(),
            tls_ca: None,
        }
    }
}

/// Where the severity stands in an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeverityPlace {
    /// In an annotation: an alert stays the same while its severity rises.
    #[default]
    Annotation,
    /// In a label as well: where routes of Alertmanager go by it. Every severity is an alert of its own then.
    Label,
}

/// `[receivers.NAME.slack]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlackSettings {
    /// Address of an incoming webhook; it is a secret and never shown.
    #[schemars(extend("examples" = ["${file:/run/secrets/slack_url}"]))]
    pub url: Option<Secret>,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.pagerduty]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PagerDutySettings {
    /// Integration key of a service. Never shown.
    #[schemars(extend("examples" = ["${file:/run/secrets/pagerduty_key}"]))]
    pub routing_key: Option<Secret>,
    /// Where events are sent; another one for the European region or a compatible service.
    pub url: AddressText,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

impl Default for PagerDutySettings {
    fn default() -> Self {
        Self { routing_key: None, url: AddressText::of("https://events.pagerduty.com/v2/enqueue"), tls_ca: None }
    }
}

/// `[receivers.NAME.email]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmailSettings {
    /// Addresses of those who are told.
    #[schemars(extend("examples" = [["Operators <noc@example.org>"]]))]
    pub to: Vec<String>,
    /// Address of the sender.
    #[schemars(extend("examples" = ["avwatch <avwatch@example.org>"]))]
    pub from: Option<String>,
    /// Name or address of the mail server.
    #[schemars(extend("examples" = ["mail.example.org"]))]
    pub host: Option<String>,
    /// Port of the mail server. Default: 587 with starttls, 465 with tls, 25 with none.
    #[schemars(range(min = 1), extend("examples" = [587]))]
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User name, if the server asks for one.
    #[schemars(extend("examples" = ["avwatch"]))]
    pub user: Option<String>,
    /// Password of the user. Never shown.
    #[schemars(extend("examples" = ["${file:/run/secrets/mail_password}"]))]
    pub password: Option<Secret>,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// It begins in the clear and must become TLS: port 587.
    #[default]
    Starttls,
    /// TLS from the first byte: port 465.
    Tls,
    /// In the clear: for a server on this machine only.
    None,
}

/// `[receivers.NAME.apprise]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppriseSettings {
    /// Address of the server's notify endpoint, with the key of a stored configuration if there is one.
    #[schemars(extend("examples" = ["http://127.0.0.1:8000/notify/noc"]))]
    pub url: Option<AddressText>,
    /// Apprise URLs of services to notify, for a server without a stored configuration. Never shown.
    #[schemars(extend("examples" = [["${env:APPRISE_TARGET}"]]))]
    pub targets: Vec<Secret>,
    /// Tags that choose services of the stored configuration.
    #[schemars(extend("examples" = ["noc"]))]
    pub tag: Option<String>,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

/// `[receivers.NAME.exec]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExecSettings {
    /// Program, as an absolute path, and its arguments. No shell: nothing in them is interpreted. The message is on
    /// its standard input as JSON.
    #[schemars(extend("examples" = [["/usr/local/bin/on-alarm", "--noc"]]))]
    pub command: Vec<String>,
}

/// `[receivers.NAME.snmp]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SnmpSettings {
    /// Name or address of the trap receiver.
    #[schemars(extend("examples" = ["192.0.2.10"]))]
    pub host: Option<String>,
    /// UDP port of the trap receiver.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Community. Never shown. Default: public.
    #[schemars(extend("examples" = ["${file:/run/secrets/snmp_community}"]))]
    pub community: Option<Secret>,
    /// Object identifier under which the traps and their objects stand. The default lies in an arc for experiments;
    /// with a number of your own, change the one line of config/snmp/AVWATCH-MIB.txt that names it as well.
    pub enterprise_oid: String,
}

impl Default for SnmpSettings {
    fn default() -> Self {
        Self { host: None, port: 162, community: None, enterprise_oid: "1.3.6.1.4.1.8072.9999.9999.7268".to_owned() }
    }
}
