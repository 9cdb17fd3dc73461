//! Doubles a number, but every twentieth.
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn doubled(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let n = event.payload["n"].as_i64().unwrap_or(0);
    if n % 20 == 0 {
        return Err(format!("{n} can't be doubled").into());
    }
    Ok(json!({"language": "rust", "twice": 2 * n}))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(doubled)).await
}
