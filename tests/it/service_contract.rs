//! What the daemon relies on in every service, and that it serves one without clients and sockets.

use crate::support::in_process;
use futures_util::future::BoxFuture;
use notify_push::{
    config::{ServiceEntry, ServiceName},
    doctor::{CheckRun, DiagnosisContext},
    lifecycle::{ExitReason, ProcessSignal},
    runtime::Daemon,
    services::{
        BoxedService, RunningService, SelfProbeError, SelfTest, SelfTestTask, Service,
        ServiceContext, ServiceInput, ServiceReload, ServiceStartError, kinds,
    },
    telemetry::metrics::MetricsRegistry,
};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A service without clients, sockets and settings.
#[derive(Debug, Default, Clone)]
struct BareService {
    tests: Arc<AtomicUsize>,
    inputs: Vec<ServiceInput>,
}

impl Service for BareService {
    fn inputs(&self) -> Vec<ServiceInput> {
        self.inputs.clone()
    }

    fn needs_shared_listener(&self) -> bool {
        false
    }

    fn diagnose<'a, 'r: 'a>(
        &'a self,
        _: DiagnosisContext,
        _: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    fn start(
        self: Box<Self>,
        context: ServiceContext,
    ) -> Result<RunningService, ServiceStartError> {
        let name = context.name.as_ref().map(ServiceName::as_str);
        Ok(RunningService {
            routes: None,
            listeners: Vec::new(),
            dependencies: Vec::new(),
            metrics: MetricsRegistry::new(name)?,
            compat_metrics: None,
            self_test: SelfTest::Task(Arc::new(CountingTest(Arc::clone(&self.tests)))),
            sessions: None,
            drain_time: Duration::ZERO,
            reload: Box::new(*self),
        })
    }
}

impl ServiceReload for BareService {
    fn apply<'a>(&'a mut self, _: &'a dyn Service) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Counts how often the daemon tests the service.
struct CountingTest(Arc<AtomicUsize>);

impl SelfTestTask for CountingTest {
    fn run(&self) -> BoxFuture<'_, Result<(), SelfProbeError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn named(name: &str, service: BareService) -> ServiceEntry<BoxedService> {
    let name = ServiceName::parse(name);
    ServiceEntry { name, ..ServiceEntry::only(Box::new(service) as BoxedService) }
}

#[tokio::test]
async fn a_service_without_clients_and_sockets_starts_is_tested_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, _) = in_process::settings(&[], &[("DATABASE_URL", "sqlite:///nowhere")]);
    let socket = folder.path().join("notify");
    let _manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let environment = in_process::watched_environment(&socket);
    let service = BareService::default();
    let tests = Arc::clone(&service.tests);
    let daemon = Daemon::start(&settings, vec![named("bare", service)], environment).await.unwrap();
    assert_eq!(daemon.local(), None, "nothing needs a listener");
    let (stop, signals) = tokio::sync::mpsc::channel(1);
    let signals = futures_util::stream::unfold(signals, |mut signals| async {
        signals.recv().await.map(|signal| (signal, signals))
    });
    #[expect(clippy::disallowed_methods, reason = "the test runs the daemon beside itself")]
    let running = tokio::spawn(daemon.run(Box::pin(signals)));
    while tests.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    stop.send(ProcessSignal::Terminate).await.unwrap();
    assert_eq!(running.await.unwrap(), ExitReason::Clean);
}

#[tokio::test]
async fn two_services_with_one_input_are_refused_with_the_remedy_of_their_kind() {
    let (settings, _) = in_process::settings(&[], &[("DATABASE_URL", "sqlite:///nowhere")]);
    let input = ServiceInput {
        kind: "queue",
        address: "amqp://broker/events".into(),
        remedy: "Give each a queue of its own",
    };
    let service = BareService { inputs: vec![input], ..BareService::default() };
    let services = vec![named("a", service.clone()), named("b", service)];
    let environment = in_process::plain_environment();
    let Err(error) = Daemon::start(&settings, services, environment).await else {
        panic!("both started")
    };
    let text = error.to_string();
    for part in ["services a and b", "queue, amqp://broker/events", "Give each a queue of its own"]
    {
        assert!(text.contains(part), "{part} not in {text}");
    }
    assert!(!text.contains("config.php") && !text.contains("Redis"), "{text}");
}

#[test]
fn every_kind_has_a_name_settings_and_commands_of_its_own() {
    let kinds = kinds();
    let names: HashSet<_> = kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds.len());
    for kind in &kinds {
        let settings: HashSet<_> = kind.settings.iter().map(|setting| setting.variable).collect();
        assert_eq!(settings.len(), kind.settings.len(), "{}: a setting twice", kind.name);
        let port = kind.port.variable;
        assert!(!settings.contains(port), "{}: {port} is the daemon's", kind.name);
    }
}
