//! What was decided is in the audit as the settings say, written beside the requests.

use claviger_service::{Settings, settings::AuditDecisions};
use claviger_store::{Query, Stmt};
use claviger_tests::{app::TestApp, both, server::Server};
use http::Request;

const ASK: &str = "/v2/auth?service=registry&scope=repository:acme/app:pull,push";
const ROWS: Stmt = Stmt::same(
    "SELECT object_name, namespace, before, after, outcome, door FROM audit
     WHERE act = 'decide' ORDER BY seq",
);

both! {
    async fn refusals_are_in_the_audit_unless_it_wants_none(engine: Engine) {
        for (wanted, expected) in
            [(AuditDecisions::Denied, 1), (AuditDecisions::All, 1), (AuditDecisions::Off, 0)]
        {
            let mut settings = Settings::default();
            settings.audit.decisions = wanted;
            let app = TestApp::empty(engine, settings).await;
            let request = Request::get(ASK).body(Vec::new()).unwrap();
            assert_eq!(app.send(request).await.status, 200);
            assert_eq!(app.app.flush_decisions().await.unwrap(), expected, "{wanted:?}");
            assert_eq!(app.app.flush_decisions().await.unwrap(), 0);
            let rows = app.db.read(|q: &mut dyn Query| Ok(q.all(&ROWS, &[])?)).await.unwrap();
            for row in &rows {
                let texts: Vec<_> = (0..6).map(|column| row.text(column).unwrap()).collect();
                let (asked, granted) = (r#"{"actions":["push","pull"]}"#, r#"{"actions":[]}"#);
                assert_eq!(texts, ["acme/app", "acme", asked, granted, "denied", "registry"]);
            }
            assert_eq!(rows.len(), expected);
            assert_eq!(app.app.decisions().dropped(), 0);
        }
    }
}
