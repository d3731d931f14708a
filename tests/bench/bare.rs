//! The bare loop that the product is measured against: hyper, one HMAC, one batched insert, and nothing else.
//!
//! With a broker it also publishes each batch with confirms, off the sender's path. No limits, no deduplication, no
//! partitions, no state, no metrics: what accepting an event costs at the least.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use lychgate_tests::{database::connect, sender::hmac_sha256};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot},
};

/// Rows in one insert at most: as the product has it.
const BATCH: usize = 200;
/// Connections that insert: as the product has it.
const WRITERS: usize = 2;

type Waiting = (Bytes, oneshot::Sender<()>);

/// Serves until the process is killed; prints its address as the product does.
pub(crate) async fn serve(database: &str, broker: Option<&str>, secret: &'static str) {
    let client = connect(database).await.unwrap();
    client.batch_execute("create table if not exists bare (id bigserial primary key, body bytea)").await.unwrap();
    let publisher = match broker {
        Some(url) => Some(publisher(url).await),
        None => None,
    };
    let (queue, waiting) = mpsc::channel::<Waiting>(8192);
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..WRITERS {
        tokio::spawn(write(database.to_owned(), Arc::clone(&waiting), publisher.clone()));
    }
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    println!("listen={}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let queue = queue.clone();
        let service = service_fn(move |request| accept(request, queue.clone(), secret));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn accept(
    request: Request<Incoming>,
    queue: mpsc::Sender<Waiting>,
    secret: &str,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let signature = request.headers()["x-platform-signature"].as_bytes().strip_prefix(b"sha256=").unwrap().to_vec();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let good = hex::decode(signature).is_ok_and(|signature| signature == hmac_sha256(secret.as_bytes(), &body));
    if !good {
        return Ok(Response::builder().status(401).body(Full::default()).unwrap());
    }
    let (done, committed) = oneshot::channel();
    queue.send((body, done)).await.unwrap();
    committed.await.unwrap();
    Ok(Response::new(Full::from("{\"status\":\"accepted\"}")))
}

async fn write(
    database: String,
    waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    publisher: Option<mpsc::Sender<Vec<Bytes>>>,
) {
    let client = connect(&database).await.unwrap();
    let insert = client.prepare("insert into bare (body) select unnest($1::bytea[])").await.unwrap();
    let mut batch = Vec::new();
    loop {
        waiting.lock().await.recv_many(&mut batch, BATCH).await;
        let (bodies, answers): (Vec<Bytes>, Vec<_>) = batch.drain(..).unzip();
        let rows: Vec<&[u8]> = bodies.iter().map(AsRef::as_ref).collect();
        client.execute(&insert, &[&rows]).await.unwrap();
        for answer in answers {
            // A sender that has gone needs no answer.
            let _ = answer.send(());
        }
        if let Some(publisher) = &publisher {
            publisher.send(bodies).await.unwrap();
        }
    }
}

/// Publishes batches to the quorum queue `bare`, each awaited as a whole.
async fn publisher(url: &str) -> mpsc::Sender<Vec<Bytes>> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("bare".into(), durable, arguments).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let (sender, mut batches) = mpsc::channel::<Vec<Bytes>>(64);
    tokio::spawn(async move {
        let _kept_open = connection;
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        while let Some(batch) = batches.recv().await {
            let mut confirms = Vec::with_capacity(batch.len());
            for body in &batch {
                let sent = channel.basic_publish("".into(), "bare".into(), options, body, properties.clone());
                confirms.push(sent.await.unwrap());
            }
            for confirm in confirms {
                confirm.await.unwrap();
            }
        }
    });
    sender
}
