//! The receivers of the plan: who is told of events, and how.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::severity::Severity;
use avwatch_actors::silence::fits;

use crate::config::error::nearest;
use crate::config::origin::{KeyPath, Origin};
use crate::config::plan::{Building, check_headers, check_labels, check_name};
use crate::config::secret::{AddressText, Secret};
use crate::config::settings::{
    EmailSettings, ExecSettings, LeastSeverity, MailSecurity, ReceiverSettings, Recovery, SnmpSettings,
};
use crate::detectors::{ALL, LOGS, OWN, RESERVED};
use crate::notify::email::mailbox;
use crate::notify::webhook::SigningKey;
use crate::notify::{
    AlertmanagerPlan, ApprisePlan, Audience, ChannelPlan, EmailPlan, ExecPlan, PagerDutyPlan, ReceiverPlan, SlackPlan,
    SnmpPlan, WebhookPlan,
};
use crate::secret_url::SecretUrl;

/// Most receivers.
const RECEIVERS_MAX: usize = 100;

pub(super) fn build(building: &mut Building<'_>) -> Vec<ReceiverPlan> {
    let settings = building.settings;
    let path = KeyPath::of(&["receivers"]);
    if settings.receivers.len() > RECEIVERS_MAX {
        building.invalid(&path, format!("more than {RECEIVERS_MAX} receivers"));
    }
    let mut plans = Vec::new();
    for (name, receiver) in &settings.receivers {
        let path = path.key(name);
        check_name(building, name, &path, "receiver");
        check_fallback(building, name, receiver, &path);
        check_detectors(building, receiver, &path.key("detectors"));
        if let Some(channel) = channel(building, receiver, &path) {
            let name = Arc::from(name.as_str());
            let fallback = receiver.fallback.as_deref().map(Arc::from);
            let group_interval = receiver.group_interval.0;
            plans.push(ReceiverPlan { name, audience: audience(receiver), group_interval, fallback, channel });
        }
    }
    plans
}

fn audience(receiver: &ReceiverSettings) -> Audience {
    Audience {
        from: match receiver.from {
            LeastSeverity::Info => Severity::Info,
            LeastSeverity::Warning => Severity::Warning,
            LeastSeverity::Minor => Severity::Minor,
            LeastSeverity::Major => Severity::Major,
            LeastSeverity::Critical => Severity::Critical,
        },
        streams: receiver.streams.clone(),
        detectors: receiver.detectors.clone(),
        labels: receiver.labels.clone(),
        recovery: receiver.recovery == Recovery::Send,
    }
}

fn check_fallback(building: &mut Building<'_>, name: &str, receiver: &ReceiverSettings, path: &KeyPath) {
    let Some(fallback) = &receiver.fallback else { return };
    if fallback == name {
        building.invalid(&path.key("fallback"), "is the receiver itself");
    } else if !building.settings.receivers.contains_key(fallback) {
        building.invalid(&path.key("fallback"), format!("there is no receiver '{fallback}'"));
    }
}

/// Refuses names that fit no detector: the receiver would never hear of anything.
fn check_detectors(building: &mut Building<'_>, receiver: &ReceiverSettings, path: &KeyPath) {
    let known = || ALL.iter().map(|kind| kind.name).chain([LOGS, OWN].into_iter().flatten().map(|(_, name)| *name));
    for (index, pattern) in receiver.detectors.iter().enumerate() {
        let path = path.index(index);
        if known().any(|name| fits(pattern, name)) {
            continue;
        }
        if RESERVED.iter().any(|(_, name)| fits(pattern, name)) {
            building.warn(&path, "has no effect: this version does not have the detector");
            continue;
        }
        let why = match nearest(pattern, known()) {
            Some(near) => format!("is no detector; did you mean '{near}'?"),
            None => "fits no detector; 'avwatch detectors' lists them".to_owned(),
        };
        building.invalid(&path, why);
    }
}

/// The one channel that is configured.
fn channel(building: &mut Building<'_>, receiver: &ReceiverSettings, path: &KeyPath) -> Option<ChannelPlan> {
    let empty = ReceiverSettings::default();
    let channels = [
        ("webhook", receiver.webhook != empty.webhook),
        ("alertmanager", receiver.alertmanager != empty.alertmanager),
        ("slack", receiver.slack != empty.slack),
        ("pagerduty", receiver.pagerduty != empty.pagerduty),
        ("email", receiver.email != empty.email),
        ("apprise", receiver.apprise != empty.apprise),
        ("exec", receiver.exec != empty.exec),
        ("snmp", receiver.snmp != empty.snmp),
    ];
    let written = channels.into_iter();
    let written = written
        .filter_map(|(kind, is_written)| (is_written || building.origins.contains(&path.key(kind))).then_some(kind));
    let written: Vec<&str> = written.collect();
    if written.is_empty() && has_misspelt_channel(building, path, &channels.map(|(kind, _)| kind)) {
        return None;
    }
    let [kind] = written[..] else {
        let why = if written.is_empty() {
            "does not say how it is reached: add one of webhook, alertmanager, slack, pagerduty, email, apprise, exec or snmp"
                .to_owned()
        } else {
            format!("is reached in several ways ({}); write one receiver for each", written.join(", "))
        };
        building.invalid(path, why);
        return None;
    };
    let path = path.key(kind);
    match kind {
        "webhook" => webhook(building, receiver, &path).map(ChannelPlan::Webhook),
        "alertmanager" => alertmanager(building, receiver, &path).map(ChannelPlan::Alertmanager),
        "slack" => {
            let url = secret(building, receiver.slack.url.as_ref(), &path.key("url"))?;
            http_url(building, &url.0, &path.key("url"))?;
            Some(ChannelPlan::Slack(SlackPlan { url, tls_ca: receiver.slack.tls_ca.clone() }))
        }
        "pagerduty" => {
            let pagerduty = &receiver.pagerduty;
            let routing_key = secret(building, pagerduty.routing_key.as_ref(), &path.key("routing_key"))?;
            let url = http_url(building, &pagerduty.url.0, &path.key("url"))?;
            Some(ChannelPlan::PagerDuty(PagerDutyPlan { routing_key, url, tls_ca: pagerduty.tls_ca.clone() }))
        }
        "email" => email(building, &receiver.email, &path).map(ChannelPlan::Email),
        "apprise" => {
            let apprise = &receiver.apprise;
            let url = address(building, apprise.url.as_ref(), &path.key("url"))?;
            let (targets, tag, tls_ca) = (apprise.targets.clone(), apprise.tag.clone(), apprise.tls_ca.clone());
            Some(ChannelPlan::Apprise(ApprisePlan { url, targets, tag, tls_ca }))
        }
        "exec" => exec(building, &receiver.exec, &path).map(ChannelPlan::Exec),
        _ => snmp(building, &receiver.snmp, &path).map(ChannelPlan::Snmp),
    }
}

/// Whether it was told already that a key of a receiver is unknown with which somebody meant to say how it is reached: one
/// like a channel's name or with one as its value, or a table.
fn has_misspelt_channel(building: &Building<'_>, path: &KeyPath, channels: &[&str]) -> bool {
    let is_channel =
        |meant: &str| channels.iter().any(|kind| meant == *kind || meant == format!("[{}]", path.key(kind)));
    building.errors.unknown_in(path).any(|(unknown, meant)| match meant {
        Some(meant) => is_channel(meant),
        None => building.origins.has_below(unknown),
    })
}

fn webhook(building: &mut Building<'_>, receiver: &ReceiverSettings, path: &KeyPath) -> Option<WebhookPlan> {
    let webhook = &receiver.webhook;
    let url = address(building, webhook.url.as_ref(), &path.key("url"))?;
    if webhook.secret.is_none() && webhook.next_secret.is_some() {
        building.missing(&path.key("secret"));
    }
    for (key, secret) in [("secret", &webhook.secret), ("next_secret", &webhook.next_secret)] {
        if let Some(Err(why)) = secret.as_ref().map(|secret| SigningKey::parse(secret.expose())) {
            building.invalid(&path.key(key), why.to_string());
        }
    }
    let secrets = webhook.secret.iter().chain(&webhook.next_secret).cloned().collect();
    let headers = headers(building, &webhook.headers, &path.key("headers"));
    Some(WebhookPlan { url, secrets, headers, tls_ca: webhook.tls_ca.clone() })
}

fn alertmanager(building: &mut Building<'_>, receiver: &ReceiverSettings, path: &KeyPath) -> Option<AlertmanagerPlan> {
    let alertmanager = &receiver.alertmanager;
    let at = path.key("urls");
    if alertmanager.urls.is_empty() {
        building.missing(&at);
    }
    let mut urls = Vec::new();
    for (index, url) in alertmanager.urls.iter().enumerate() {
        urls.push(http_url(building, &url.0, &at.index(index))?);
    }
    check_labels(building, &alertmanager.labels, &path.key("labels"));
    Some(AlertmanagerPlan {
        urls,
        labels: alertmanager.labels.clone(),
        severity: alertmanager.severity,
        resend_every: alertmanager.resend_every.0,
        headers: headers(building, &alertmanager.headers, &path.key("headers")),
        tls_ca: alertmanager.tls_ca.clone(),
    })
}

fn email(building: &mut Building<'_>, email: &EmailSettings, path: &KeyPath) -> Option<EmailPlan> {
    if email.to.is_empty() {
        building.missing(&path.key("to"));
    }
    for key in ["from", "host"] {
        let is_missing = if key == "from" { email.from.is_none() } else { email.host.is_none() };
        if is_missing {
            building.missing(&path.key(key));
        }
    }
    let credentials = match (&email.user, &email.password) {
        (Some(user), Some(password)) => Some((user.clone(), password.clone())),
        (None, None) => None,
        (Some(_), None) => {
            building.missing(&path.key("password"));
            None
        }
        (None, Some(_)) => {
            building.missing(&path.key("user"));
            None
        }
    };
    let port = email.port.unwrap_or(match email.security {
        MailSecurity::Starttls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    });
    for (index, to) in email.to.iter().enumerate() {
        check_mailbox(building, to, &path.key("to").index(index));
    }
    if let Some(from) = &email.from {
        check_mailbox(building, from, &path.key("from"));
    }
    if credentials.is_some() && email.security == MailSecurity::None {
        building.warn(&path.key("security"), "the password travels in the clear");
    }
    Some(EmailPlan {
        to: email.to.clone(),
        from: email.from.clone()?,
        host: email.host.clone()?,
        port,
        security: email.security,
        credentials,
        tls_ca: email.tls_ca.clone(),
    })
}

fn check_mailbox(building: &mut Building<'_>, text: &str, path: &KeyPath) {
    if mailbox(text).is_err() {
        building.invalid(path, "must be an address such as noc@example.org or 'Operators <noc@example.org>'");
    }
}

fn exec(building: &mut Building<'_>, exec: &ExecSettings, path: &KeyPath) -> Option<ExecPlan> {
    let Some((program, arguments)) = exec.command.split_first() else {
        building.missing(&path.key("command"));
        return None;
    };
    let origin = building.origins.of(&path.key("command"));
    if !matches!(origin, Origin::File { .. }) {
        // Whoever may set a variable of the service must not thereby run programs as it.
        building.invalid(&path.key("command"), "can be set in a configuration file only");
    }
    if !Path::new(program).is_absolute() {
        building.invalid(&path.key("command").index(0), "must be the absolute path of a program");
    }
    Some(ExecPlan { program: program.into(), arguments: arguments.to_vec() })
}

fn snmp(building: &mut Building<'_>, snmp: &SnmpSettings, path: &KeyPath) -> Option<SnmpPlan> {
    if snmp.host.is_none() {
        building.missing(&path.key("host"));
    }
    let community = snmp.community.clone().unwrap_or_else(|| Secret("public".to_owned()));
    let at = path.key("enterprise_oid");
    let enterprise_oid = object_identifier(&snmp.enterprise_oid);
    if enterprise_oid.is_none() {
        building.invalid(&at, "must be 2 to 32 whole numbers with dots between, such as 1.3.6.1.4.1.32473");
    }
    Some(SnmpPlan { host: snmp.host.clone()?, port: snmp.port, community, enterprise_oid: enterprise_oid? })
}

/// The numbers of an object identifier; the first is 0 to 2, and under 0 and 1 the second is below 40.
fn object_identifier(text: &str) -> Option<Vec<u32>> {
    let arcs = text.split('.').map(|arc| arc.parse().ok()).collect::<Option<Vec<u32>>>()?;
    match arcs[..] {
        [0 | 1, second, ..] if second >= 40 => None,
        [0..=2, _, ..] if arcs.len() <= 32 => Some(arcs),
        _ => None,
    }
}

fn secret(building: &mut Building<'_>, secret: Option<&Secret>, path: &KeyPath) -> Option<Secret> {
    if secret.is_none() {
        building.missing(path);
    }
    secret.cloned()
}

fn address(building: &mut Building<'_>, text: Option<&AddressText>, path: &KeyPath) -> Option<SecretUrl> {
    let Some(text) = text else {
        building.missing(path);
        return None;
    };
    http_url(building, &text.0, path)
}

pub(super) fn http_url(building: &mut Building<'_>, text: &str, path: &KeyPath) -> Option<SecretUrl> {
    let url = text.trim_end().parse::<SecretUrl>().ok();
    let url = url.filter(|url| matches!(url.expose().scheme(), "http" | "https") && url.expose().has_host());
    if url.is_none() {
        building.invalid(path, "must be an http or https URL");
    }
    url
}

fn headers(building: &mut Building<'_>, headers: &BTreeMap<String, Secret>, path: &KeyPath) -> Vec<(String, Secret)> {
    check_headers(building, headers, path);
    headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
