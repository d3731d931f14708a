//! The promises, one module each, tried on the real binaries against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

/// Makes two tests of each promise (`async fn promise(kind: QueueKind)`): with the store as the queue, and over RabbitMQ.
macro_rules! on_both {
    ($($promise:ident),+ $(,)?) => {
        mod over_the_store {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    super::$promise(lychgate_tests::stage::QueueKind::Store).await;
                }
            )+
        }
        mod over_rabbitmq {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    super::$promise(lychgate_tests::stage::QueueKind::Broker).await;
                }
            )+
        }
    };
}

mod accepts_once;
mod apply;
mod arrays;
mod arrives_in_any_order;
mod atomic_guide;
mod broker_down;
mod broker_faults;
mod buries;
mod campus;
mod campuses;
mod certified;
mod connections;
mod database_down;
mod database_faults;
mod dead_letters;
mod deferral;
mod document_examples;
mod documents;
mod embeddings;
mod fairness;
mod faithflow;
mod first_contact;
mod forwards;
mod handshakes;
mod harness;
mod ibam;
mod ibam_equal_bodies;
mod ibam_order;
mod ibam_roles;
mod ibam_webhooks;
mod logs;
mod mail_delivery;
mod mail_magic_link;
mod mail_provider;
mod order_of_payments;
mod order_of_writes;
mod own_handler;
mod platform;
mod queue_contract;
mod reconciles;
mod refuses;
mod required_fields;
mod retries;
mod rotates;
mod rows;
mod schema;
mod settings;
mod settles_in_groups;
mod signers;
mod sleekapp;
mod stops;
mod stripe;
mod survives_kill;
mod topology;
mod webhooks;
