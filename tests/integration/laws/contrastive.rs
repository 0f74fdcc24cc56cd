//! Laws of losses over embeddings.

use loglik::contrastive::{
    Denominator, Directions, EmbeddingBatch, InfoNce, InfoNceShard, SigLip, Similarity, SupervisedContrastive,
};
use loglik::logits::{CrossEntropy, TokenObjective};
use loglik::{Real, Reduction};
use ndarray::{Array1, Array2, Axis, concatenate};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, numbers};

fn embeddings(n: usize, d: usize) -> impl Strategy<Value = Array2<f64>> {
    numbers(n * d, -1.0, 1.0).prop_map(move |x| x.into_shape_with_order((n, d)).unwrap() + 1e-3)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn info_nce_is_cross_entropy_over_the_candidates(a in embeddings(5, 3), b in embeddings(8, 3)) {
        let loss = InfoNce { temperature: 0.3, similarity: Similarity::Dot, ..InfoNce::default() };
        let (value, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
        let (expected, back) = CrossEntropy::default()
            .grad(&(a.dot(&b.t()) / 0.3), &(0..5).collect::<Array1<usize>>(), Reduction::Mean)
            .unwrap();
        assert_near(value, expected, 1e-13);
        assert_all_near(&slopes.first, &(back.dot(&b) / 0.3), 1e-13);
        assert_all_near(&slopes.second, &(back.t().dot(&a) / 0.3), 1e-13);
    }

    #[test]
    fn a_clip_does_not_know_its_sides_apart(a in embeddings(6, 4), b in embeddings(6, 4)) {
        let loss = InfoNce { directions: Directions::Symmetric, temperature: 0.2, ..InfoNce::default() };
        let (one, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
        let (other, swapped) = loss.grad(EmbeddingBatch::new(&b, &a), Reduction::Mean).unwrap();
        assert_near(one, other, 1e-13);
        assert_all_near(&slopes.first, &swapped.second, 1e-12);
    }

    #[test]
    fn more_in_the_denominator_costs_more(a in embeddings(5, 3), b in embeddings(9, 3)) {
        let all = InfoNce { temperature: 0.4, ..InfoNce::default() };
        let decoupled = InfoNce { denominator: Denominator::Negatives, ..all };
        let each = |loss: &InfoNce, b: &Array2<f64>| loss.each(EmbeddingBatch::new(&a, b)).unwrap();
        let fewer = b.slice(ndarray::s![..7, ..]).to_owned();
        for ((&full, &less), &fewer) in each(&all, &b).iter().zip(&each(&decoupled, &b)).zip(&each(&all, &fewer)) {
            prop_assert!(less < full && fewer < full && fewer >= 0.0);
        }
    }

    #[test]
    fn two_views_are_supervised_by_the_number_of_their_sample(a in embeddings(4, 3), b in embeddings(4, 3)) {
        // Each view has one positive: InfoNCE over the other view and the own side.
        let both = concatenate(Axis(0), &[a.view(), b.view()]).unwrap();
        let labels: Array1<usize> = (0..8).map(|i| i % 4).collect();
        let loss = SupervisedContrastive { temperature: 0.5, ..SupervisedContrastive::default() };
        let each = loss.each(&both, &labels).unwrap();
        let unit = &both / &both.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
        let logits = unit.dot(&unit.t()) / 0.5;
        for i in 0..8 {
            let total: f64 = (0..8).filter(|&j| j != i).map(|j| logits[[i, j]].exp()).sum();
            assert_near(each[i], total.ln() - logits[[i, (i + 4) % 8]], 1e-12);
        }
    }

    #[test]
    fn questions_of_parts_of_the_candidates_add_up(a in embeddings(3, 3), b in embeddings(7, 3)) {
        let loss = SigLip { scale: 2.0, bias: -0.3, ..SigLip::default() };
        let whole = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
        let fewer = loss.each(EmbeddingBatch::new(&a, &b.slice(ndarray::s![..5, ..]))).unwrap();
        let unit = |x: &Array2<f64>| x / &x.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
        let logits = 2.0 * unit(&a).dot(&unit(&b).t()) - 0.3;
        let rest = logits.map_axis(Axis(1), |row| row.iter().skip(5).map(|x| x.exp().ln_1p()).sum::<f64>());
        assert_all_near(&whole, &(fewer + rest), 1e-12);
    }

    #[test]
    fn a_shard_of_all_candidates_is_the_whole(a in embeddings(4, 3), b in embeddings(6, 3)) {
        let shard = InfoNceShard { temperature: 0.3, ..InfoNceShard::default() };
        let sums = shard.log_sum_exp(&a, &b, &Array1::from_iter(0..4)).unwrap();
        let each = InfoNce { temperature: 0.3, ..InfoNce::default() }.each(EmbeddingBatch::new(&a, &b)).unwrap();
        assert_all_near(&sums.mapv(|sum| -sum.log_prob().unwrap().as_f64()), &each, 1e-13);
    }
}
