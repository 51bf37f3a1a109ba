//! The command table: name, use case, input, answer, and what a success makes stale.

use lapwing_core::{Report, Tag};

use super::*;
use crate::App;

/// Calls `$row!{ … }` once with the whole table, so that dispatch and TypeScript come from the same lines.
macro_rules! command_table {
    ($row:ident) => {
        $row! {
            "projects.list" => projects::list(Nothing) -> Vec<ProjectSummary>, [];
            "projects.get" => projects::get(InProject) -> ProjectDetail, [];
            "projects.open" => projects::open(OpenProject) -> ProjectDetail, [Projects];
            "projects.init" => projects::init(OpenProject) -> ProjectDetail, [Projects];
            "projects.create_sample" => projects::create_sample(CreateSample) -> ProjectDetail, [Projects];
            "projects.clone" => projects::clone(CloneProject) -> ProjectDetail, [Projects];
            "projects.fetch" => projects::fetch(ExchangeProject) -> Exchanged, [Projects];
            "projects.pull" => projects::pull(ExchangeProject) -> Exchanged, [Projects, Data, Pipeline];
            "projects.push" => projects::push(ExchangeProject) -> Exchanged, [Projects];
            "projects.trust" => projects::trust(InProject) -> ProjectDetail, [Projects];
            "projects.forget" => projects::forget(InProject) -> Nothing, [Projects];
            "overview.get" => overview::get(InProject) -> Overview, [];
            "find" => overview::find(Find) -> Vec<Found>, [];
            "status.get" => doctor::status(Nothing) -> Status, [];
            "doctor.check" => doctor::check(Nothing) -> Vec<Check>, [];

            "data.list" => data::list(InProject) -> Vec<DatasetRow>, [];
            "data.add" => data::add(AddData) -> Vec<AddedData>, [Data, Pipeline];
            "data.log" => data::log(DataPath) -> Vec<DataVersion>, [];
            "data.diff" => data::diff(DiffData) -> Vec<DiffRow>, [];
            "data.checkout" => data::checkout(CheckoutData) -> Vec<String>, [Data, Pipeline];
            "data.files" => data::files(InProject) -> Vec<FileRow>, [];
            "data.preview" => data::preview(PreviewData) -> Preview, [];
            "data.profile" => data::profile(PreviewData) -> lapwing_monitor::profile::Profile, [];
            "data.push" => data::push(TransferData) -> Transferred, [];
            "data.pull" => data::pull(TransferData) -> Transferred, [Data, Pipeline];
            "transfers.list" => transfers::list(TransfersOf) -> Vec<TransferRow>, [];
            "transfers.stop" => transfers::stop(TransferRef) -> Nothing, [Transfers];

            "pipeline.get" => pipeline::get(InProject) -> PipelineView, [];
            "pipeline.run" => pipeline::start(StartRun) -> StartedRun, [Pipeline, Runs, Jobs];
            "pipeline.uploads" => pipeline::uploads(UploadsOf) -> UploadList, [];
            "pipeline.resume" => pipeline::resume(RunRef) -> Nothing, [Pipeline, Runs, Jobs];
            "pipeline.stop" => pipeline::stop(RunRef) -> Nothing, [Pipeline, Runs, Jobs];
            "pipeline.plan_sweep" => pipeline::plan_sweep(StartSweep) -> PlannedSweep, [];
            "pipeline.sweep" => pipeline::start_sweep(StartSweep) -> StartedSweep, [Pipeline, Runs, Jobs];
            "pipeline.get_sweep" => pipeline::get_sweep(RunRef) -> Option<SweepView>, [];
            "pipeline.export" => pipeline::export(ExportPipeline) -> Exported, [];

            "jobs.list" => jobs::list(ListJobs) -> Vec<JobRow>, [];
            "jobs.get" => jobs::get(JobRef) -> JobRow, [];
            "jobs.log" => jobs::log(ReadLog) -> LogChunk, [];
            "jobs.stop" => jobs::stop(JobRef) -> Nothing, [Jobs];

            "experiments.list" => runs::experiments(Nothing) -> Vec<ExperimentRow>, [];
            "runs.list" => runs::list(ListRuns) -> RunsPage, [];
            "runs.get" => runs::get(RunRef) -> RunDetail, [];
            "runs.compare" => runs::compare(CompareRuns) -> Comparison, [];
            "runs.metric" => runs::metric(ReadMetric) -> Series, [];
            "runs.artifacts" => runs::artifacts(ListArtifacts) -> Vec<ArtifactRow>, [];
            "runs.artifact_text" => runs::artifact_text(ListArtifacts) -> TextContent, [];
            "runs.rename" => runs::rename(RenameRun) -> Nothing, [Runs];
            "runs.delete" => runs::delete(RunRef) -> Nothing, [Runs];
            "runs.restore" => runs::restore(RunRef) -> Nothing, [Runs];

            "models.list" => models::list(Nothing) -> Vec<ModelRow>, [];
            "models.get" => models::get(ModelName) -> ModelDetail, [];
            "models.version" => models::version(VersionRef) -> VersionDetail, [];
            "models.register" => models::register(RegisterModel) -> VersionRow, [Models, Runs];
            "models.set_alias" => models::set_alias(SetAlias) -> Nothing, [Models];
            "models.push" => models::push(PushModel) -> Pushed, [];
            "models.pull" => models::pull(PullModel) -> Pulled, [Models, Runs];
            "models.search_remote" => models::search(SearchRemoteModels) -> FoundModels, [];
            "lineage.trace" => lineage::trace(Trace) -> Lineage, [];

            "deployments.list" => deployments::list(Nothing) -> Vec<DeploymentRow>, [];
            "deployments.get" => deployments::get(DeploymentRef) -> DeploymentDetail, [];
            "deployments.deploy" => deployments::start_deploy(Deploy) -> Started, [Deployments, Jobs];
            "deployments.start" => deployments::start(DeploymentRef) -> DeploymentRow, [Deployments];
            "deployments.stop" => deployments::stop(DeploymentRef) -> DeploymentRow, [Deployments];
            "deployments.remove" => deployments::remove(DeploymentRef) -> Nothing, [Deployments, Monitors];
            "deployments.rollback" => deployments::rollback(Rollback) -> DeploymentRow, [Deployments, Monitors];
            "deployments.predict" => deployments::predict(Predict) -> Predicted, [Deployments, Monitors];
            "deployments.traffic" => deployments::traffic(ReadTraffic) -> Traffic, [];
            "deployments.predictions" => deployments::predictions(RecentPredictions) -> Vec<LoggedPrediction>, [];
            "deployments.push" => deployments::push(PushDeployment) -> PushedImage, [];
            "deployments.export" => deployments::export(ExportDeployment) -> Exported, [];
            "deployments.log" => deployments::log(ReadDeploymentLog) -> LogChunk, [];

            "scoring.start" => scoring::start(StartScoring) -> StartedScoring, [Jobs, Runs];
            "scoring.uploads" => scoring::uploads(StartScoring) -> ScoringUpload, [];
            "scoring.get" => scoring::get(JobRef) -> Option<ScoringDetail>, [];

            "monitors.list" => monitors::list(Nothing) -> Vec<MonitorRow>, [];
            "monitors.get" => monitors::get(ReadMonitor) -> MonitorView, [];
            "monitors.history" => monitors::history(DeploymentRef) -> Vec<Measured>, [];
            "monitors.labels" => monitors::labels(AddLabels) -> LabelsAdded, [Monitors];
            "alerts.list" => monitors::alerts(ListAlerts) -> Vec<AlertRow>, [];
            "alerts.acknowledge" => monitors::acknowledge(AlertRef) -> Nothing, [Monitors];

            "automations.list" => automations::list(InProject) -> Vec<PolicyRow>, [];
            "automations.run" => automations::start(PolicyRef) -> Started, [Automations, Jobs];
            "automations.log" => automations::log(InProject) -> Vec<DecisionRow>, [];

            "remotes.list" => remotes::list(RemotesOf) -> Vec<RemoteRow>, [];
            "remotes.add" => remotes::add(AddRemote) -> RemoteAdded, [Remotes];
            "remotes.login" => remotes::login(LoginRemote) -> RemoteAdded, [Remotes];
            "remotes.test" => remotes::test(RemoteRef) -> RemoteHealth, [];
            "remotes.sync" => models::sync(SyncRemote) -> Synced, [Runs, Models];
            "remotes.remove" => remotes::remove(RemoteRef) -> Nothing, [Remotes];
        }
    };
}
pub(super) use command_table;

macro_rules! dispatch_rows {
    ($($name:literal => $module:ident :: $function:ident ( $input:ty ) -> $answer:ty, [$($tag:ident),*];)*) => {
        /// Runs the named command. Blocking: call it on a thread that may block.
        ///
        /// # Errors
        /// When no command has that name, when `input` does not fit it, or when the use case fails.
        pub fn dispatch(app: &App, name: &str, input: serde_json::Value) -> Result<serde_json::Value, Report> {
            match name {
                $($name => {
                    let input: $input = parse(name, input)?;
                    let answer: $answer = crate::$module::$function(app, input)?;
                    let changed: &[Tag] = &[$(Tag::$tag),*];
                    app.announce(changed);
                    encode(name, &answer)
                })*
                unknown => Err(Report::new(
                    lapwing_core::Code::NotFound,
                    "rpc.unknown_command",
                    format!("there is no command `{unknown}`"),
                )),
            }
        }

        /// The names of all commands, in the order of the table.
        pub const COMMANDS: &[&str] = &[$($name),*];
    };
}
command_table!(dispatch_rows);

fn parse<T: serde::de::DeserializeOwned>(
    name: &str,
    input: serde_json::Value,
) -> Result<T, Report> {
    let input = if input.is_null() {
        serde_json::Value::Object(serde_json::Map::new())
    } else {
        input
    };
    serde_json::from_value(input).map_err(|error| {
        Report::new(
            lapwing_core::Code::Invalid,
            "rpc.bad_input",
            format!("`{name}` cannot take this input: {error}"),
        )
    })
}

fn encode<T: serde::Serialize>(name: &str, answer: &T) -> Result<serde_json::Value, Report> {
    serde_json::to_value(answer).map_err(|error| {
        Report::new(
            lapwing_core::Code::Internal,
            "rpc.encode",
            format!("the answer of `{name}` cannot be written as JSON: {error}"),
        )
    })
}
