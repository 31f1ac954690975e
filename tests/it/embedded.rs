use std::time::Instant;

use crate::support;

#[tokio::test]
async fn a_test_has_its_own_database() {
    for _ in 0..20 {
        let began = Instant::now();
        let one = support::database().await;
        let made = began.elapsed();
        one.store.now().await.unwrap();
        drop(one);
        eprintln!("{made:?} {:?}", began.elapsed());
    }
}
