//! probe
mod calls; mod load; mod machine; mod scene; mod figures;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut w = scene::World::new(a[1].clone().into(), machine::Cores::pick()).unwrap();
    w.cores.move_here().unwrap();
    let d = std::path::PathBuf::from(&a[2]);
    let same = scene::Filter::SameCalls(d.join("bench_same_calls.wasm"));
    let can = scene::Filter::CanaryRouter(d.join("canary_router.wasm"), 10);
    rt.block_on(async {
        let p = w.start(&can, "trace").await.unwrap();
        w.find_user(&p).unwrap();
        let m = p.envoy.logs().mark();
        println!("{}", w.ask_once(&p, scene::Scene::Hop).unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for l in p.envoy.logs().lines_after(m) { println!("{l}"); }
        println!("{:?}", calls::compare(&mut w, &same, &can).await);
    });
}
