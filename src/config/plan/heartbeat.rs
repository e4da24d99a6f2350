//! The heartbeat of the plan.

use crate::config::origin::KeyPath;
use crate::config::plan::Building;
use crate::config::plan::receivers::http_url;
use crate::notify::heartbeat::HeartbeatPlan;

pub(super) fn build(building: &mut Building<'_>) -> Option<HeartbeatPlan> {
    let heartbeat = &building.settings.heartbeat;
    let url = heartbeat.url.clone()?;
    http_url(building, &url.0, &KeyPath::of(&["heartbeat", "url"]))?;
    Some(HeartbeatPlan { url, method: heartbeat.method, every: heartbeat.every.0, tls_ca: heartbeat.tls_ca.clone() })
}
