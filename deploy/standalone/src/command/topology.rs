//! `lychgate topology`: RabbitMQ's exchanges and queues, as they should be and as they are.

use clap::Subcommand;
use lychgate_common::queue::broker::{Broker, BrokerSettings, topology::Topology as Plan};

use crate::{
    output::{self, Usage},
    settings::Found,
};

/// What can be asked about the topology.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Topology {
    /// Print what would be declared; connects to nothing
    Plan,
    /// Declare what is missing; what exists with other arguments is reported and left alone
    Apply,
    /// Compare what exists with what should; changes nothing
    Verify,
}

/// Does what was asked.
pub(crate) async fn run(topology: Topology, found: &Found) -> anyhow::Result<()> {
    let settings = &found.settings;
    let findings = match topology {
        Topology::Plan => {
            let plan = Plan::new(settings.broker.prefix.as_str(), settings.broker.shards, &settings.retry.schedule);
            output::line(plan.to_string().trim_end());
            return Ok(());
        }
        Topology::Apply => Broker::apply(&broker(found)?).await?,
        Topology::Verify => Broker::verify(&broker(found)?).await?,
    };
    let mut wrong = 0;
    for finding in &findings {
        output::line(finding);
        wrong += usize::from(finding.outcome.is_wrong());
    }
    if wrong > 0 {
        anyhow::bail!("{wrong} of {} are not as they should be", findings.len());
    }
    Ok(())
}

fn broker(found: &Found) -> anyhow::Result<BrokerSettings> {
    let broker = found.settings.broker.broker(&found.settings.retry.schedule, found.settings.stop.deadline);
    let missing = "`broker.url` is not set: name RabbitMQ with --broker amqp://… or in the settings";
    Ok(broker.ok_or_else(|| Usage(missing.to_owned()))?)
}
