//! The health of all services: which dependencies count, and what a report shows.

use super::{
    dependency_state::DependencyState,
    render::{DependencyReport, HealthReport},
    time_format::rfc3339,
};
use std::{borrow::Cow, sync::Arc, time::SystemTime};
use tokio::time::Instant;

/// Reads the time of day.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Something a service depends on.
#[derive(Clone)]
pub struct ServiceDependency {
    /// `redis`, `database`, `nextcloud`, `peer push2.example.org:22281`.
    pub name: Cow<'static, str>,
    /// The service it belongs to, where one daemon serves several.
    pub service: Option<Arc<str>>,
    /// Whether the service can't deliver changes or accept logins without it.
    pub needed: bool,
    /// Reads its state now.
    pub condition: Arc<dyn Fn() -> DependencyState + Send + Sync>,
}

impl ServiceDependency {
    /// A dependency without which its service is not ready.
    pub fn needed(
        name: &'static str,
        condition: impl Fn() -> DependencyState + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), service: None, needed: true, condition: Arc::new(condition) }
    }
}

/// The dependencies of all services. Cheap to clone.
#[derive(Clone)]
pub struct HealthRegistry {
    dependencies: Arc<[ServiceDependency]>,
    clock: WallClock,
}

impl HealthRegistry {
    /// The dependencies of one or more services.
    pub fn new(dependencies: impl Into<Arc<[ServiceDependency]>>, clock: WallClock) -> Self {
        Self { dependencies: dependencies.into(), clock }
    }

    /// The health of some of the dependencies, with the same clock.
    #[must_use]
    pub fn of(&self, dependencies: impl Into<Arc<[ServiceDependency]>>) -> Self {
        Self { dependencies: dependencies.into(), clock: Arc::clone(&self.clock) }
    }

    /// The dependencies of all services.
    pub fn dependencies(&self) -> &[ServiceDependency] {
        &self.dependencies
    }

    /// The time of day from the clock.
    pub fn wall_time(&self) -> SystemTime {
        (self.clock)()
    }

    /// Whether all needed dependencies of at least one service are up. An outage of one service must
    /// not make a load balancer take the clients of the others away.
    pub fn is_ready(&self) -> bool {
        let satisfied =
            |dependency: &ServiceDependency| !dependency.needed || (dependency.condition)().is_up();
        let complete = |service: &ServiceDependency| {
            self.dependencies.iter().filter(|other| other.service == service.service).all(satisfied)
        };
        self.dependencies.is_empty() || self.dependencies.iter().any(complete)
    }

    /// The report; with `causes` it names addresses and error texts, for the operator only.
    pub fn report(&self, causes: bool) -> HealthReport {
        let (now, wall_time) = (Instant::now(), self.wall_time());
        let line = |dependency: &ServiceDependency| {
            let condition = (dependency.condition)();
            let lasted = condition.since().map(|since| now.saturating_duration_since(since));
            let (state, why) = match &condition {
                DependencyState::Untried => ("untried", None),
                DependencyState::Up { .. } => ("up", None),
                DependencyState::Down { why, .. } => ("down", Some(why)),
            };
            DependencyReport {
                name: dependency.name.clone().into_owned(),
                service: dependency.service.as_deref().map(str::to_owned),
                needed: dependency.needed,
                state: state.to_owned(),
                since: lasted.and_then(|lasted| wall_time.checked_sub(lasted)).map(rfc3339),
                seconds: lasted.map(|lasted| lasted.as_secs()),
                why: why.filter(|_| causes).map(|why| why.to_string()),
            }
        };
        let dependencies = self.dependencies.iter().map(line).collect();
        HealthReport { ready: self.is_ready(), dependencies }
    }
}

#[cfg(test)]
mod tests {
    use super::{DependencyState, HealthRegistry, ServiceDependency};
    use std::{
        sync::Arc,
        time::{Duration, SystemTime},
    };
    use tokio::time::{Instant, advance};

    fn dependency(
        name: &'static str,
        service: &str,
        needed: bool,
        how: &DependencyState,
    ) -> ServiceDependency {
        let how = how.clone();
        let condition = Arc::new(move || how.clone());
        ServiceDependency { name: name.into(), service: Some(service.into()), needed, condition }
    }

    fn health(dependencies: Vec<ServiceDependency>) -> HealthRegistry {
        let wall_time = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        HealthRegistry::new(dependencies, Arc::new(move || wall_time))
    }

    fn up() -> DependencyState {
        DependencyState::Up { since: Instant::now() }
    }

    fn down() -> DependencyState {
        DependencyState::Down { since: Instant::now(), why: "10.0.0.1 refused".into() }
    }

    #[test]
    fn only_what_is_needed_counts_and_untried_is_not_up() {
        for (needed, condition, ready) in [
            (true, up(), true),
            (true, down(), false),
            (true, DependencyState::Untried, false),
            (false, down(), true),
            (false, DependencyState::Untried, true),
        ] {
            let health = health(vec![
                dependency("redis", "a", true, &up()),
                dependency("x", "a", needed, &condition),
            ]);
            assert_eq!(health.is_ready(), ready, "{needed} {condition:?}");
        }
    }

    #[test]
    fn one_complete_service_is_enough() {
        let broken = dependency("redis", "a", true, &down());
        assert!(!health(vec![broken.clone()]).is_ready());
        assert!(health(vec![broken, dependency("redis", "b", true, &up())]).is_ready());
        assert!(health(Vec::new()).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn the_report_has_the_duration_and_names_the_cause_only_on_request() {
        let health = health(vec![dependency("redis", "a", true, &down())]);
        advance(Duration::from_secs(62)).await;
        let report = health.report(false);
        assert_eq!(report.dependencies[0].since.as_deref(), Some("1970-01-01T23:58:58Z"));
        let json = serde_json::to_string(&report).unwrap();
        assert!(!json.contains("10.0.0.1") && json.contains(r#""seconds":62"#), "{json}");
        let text = health.report(true).to_string();
        let expected = "not ready\n  a redis    down     since 1970-01-01T23:58:58Z (1 min 2 s)\n\
                        \x20            10.0.0.1 refused\n";
        assert_eq!(text, expected);
    }
}
