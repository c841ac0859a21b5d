//! Every paper that the program can cite, ordered by key.

use super::{Paper, Published};

pub(crate) const BAKKER_2002: &Paper = &Paper {
    key: "Bakker2002",
    authors: "Bakker, Bram",
    year: 2002,
    title: "Reinforcement learning with long short-term memory",
    published: Published::Proceedings("Advances in Neural Information Processing Systems"),
    place: &[("volume", "14"), ("pages", "1475--1482")],
    identifier: "",
};

pub(crate) const BARTO_1983: &Paper = &Paper {
    key: "Barto1983",
    authors: "Barto, Andrew G. and Sutton, Richard S. and Anderson, Charles W.",
    year: 1983,
    title: "Neuronlike adaptive elements that can solve difficult learning control problems",
    published: Published::Journal("IEEE Transactions on Systems, Man, and Cybernetics"),
    place: &[("volume", "SMC-13"), ("number", "5"), ("pages", "834--846")],
    identifier: "10.1109/TSMC.1983.6313077",
};

pub(crate) const BELLEC_2020: &Paper = &Paper {
    key: "Bellec2020",
    authors: "Bellec, Guillaume and Scherr, Franz and Subramoney, Anand and Hajek, Elias and Salaj, Darjan and Legenstein, Robert and Maass, Wolfgang",
    year: 2020,
    title: "A solution to the learning dilemma for recurrent networks of spiking neurons",
    published: Published::Journal("Nature Communications"),
    place: &[("volume", "11"), ("pages", "3625")],
    identifier: "10.1038/s41467-020-17236-y",
};

pub(crate) const BRITTEN_1992: &Paper = &Paper {
    key: "Britten1992",
    authors: "Britten, Kenneth H. and Shadlen, Michael N. and Newsome, William T. and Movshon, J. Anthony",
    year: 1992,
    title: "The analysis of visual motion: a comparison of neuronal and psychophysical performance",
    published: Published::Journal("Journal of Neuroscience"),
    place: &[("volume", "12"), ("number", "12"), ("pages", "4745--4765")],
    identifier: "10.1523/JNEUROSCI.12-12-04745.1992",
};

pub(crate) const BRZOSKO_2017: &Paper = &Paper {
    key: "Brzosko2017",
    authors: "Brzosko, Zuzanna and Zannone, Sara and Schultz, Wolfram and Clopath, Claudia and Paulsen, Ole",
    year: 2017,
    title: "Sequential neuromodulation of {Hebbian} plasticity offers mechanism for effective reward-based navigation",
    published: Published::Journal("eLife"),
    place: &[("volume", "6"), ("pages", "e27756")],
    identifier: "10.7554/eLife.27756",
};

pub(crate) const DAW_2011: &Paper = &Paper {
    key: "Daw2011",
    authors: "Daw, Nathaniel D. and Gershman, Samuel J. and Seymour, Ben and Dayan, Peter and Dolan, Raymond J.",
    year: 2011,
    title: "Model-based influences on humans' choices and striatal prediction errors",
    published: Published::Journal("Neuron"),
    place: &[("volume", "69"), ("number", "6"), ("pages", "1204--1215")],
    identifier: "10.1016/j.neuron.2011.02.027",
};

pub(crate) const FIETE_2006: &Paper = &Paper {
    key: "Fiete2006",
    authors: "Fiete, Ila R. and Seung, H. Sebastian",
    year: 2006,
    title: "Gradient learning in spiking neural networks by dynamic perturbation of conductances",
    published: Published::Journal("Physical Review Letters"),
    place: &[("volume", "97"), ("pages", "048104")],
    identifier: "10.1103/PhysRevLett.97.048104",
};

pub(crate) const FLORIAN_2007: &Paper = &Paper {
    key: "Florian2007",
    authors: r"Florian, R{\u{a}}zvan V.",
    year: 2007,
    title: "Reinforcement learning through modulation of spike-timing-dependent synaptic plasticity",
    published: Published::Journal("Neural Computation"),
    place: &[("volume", "19"), ("number", "6"), ("pages", "1468--1502")],
    identifier: "10.1162/neco.2007.19.6.1468",
};

pub(crate) const FREMAUX_2010: &Paper = &Paper {
    key: "Frémaux2010",
    authors: r"Fr{\'e}maux, Nicolas and Sprekeler, Henning and Gerstner, Wulfram",
    year: 2010,
    title: "Functional requirements for reward-modulated spike-timing-dependent plasticity",
    published: Published::Journal("Journal of Neuroscience"),
    place: &[("volume", "30"), ("number", "40"), ("pages", "13326--13337")],
    identifier: "10.1523/JNEUROSCI.6249-09.2010",
};

pub(crate) const FREMAUX_2013: &Paper = &Paper {
    key: "Frémaux2013",
    authors: r"Fr{\'e}maux, Nicolas and Sprekeler, Henning and Gerstner, Wulfram",
    year: 2013,
    title: "Reinforcement learning using a continuous time actor-critic framework with spiking neurons",
    published: Published::Journal("PLoS Computational Biology"),
    place: &[("volume", "9"), ("number", "4"), ("pages", "e1003024")],
    identifier: "10.1371/journal.pcbi.1003024",
};

pub(crate) const HOERZER_2014: &Paper = &Paper {
    key: "Hoerzer2014",
    authors: "Hoerzer, Gregor M. and Legenstein, Robert and Maass, Wolfgang",
    year: 2014,
    title: "Emergence of complex computational structures from chaotic neural networks through reward-modulated {Hebbian} learning",
    published: Published::Journal("Cerebral Cortex"),
    place: &[("volume", "24"), ("number", "3"), ("pages", "677--690")],
    identifier: "10.1093/cercor/bhs348",
};

pub(crate) const IZHIKEVICH_2003: &Paper = &Paper {
    key: "Izhikevich2003",
    authors: "Izhikevich, Eugene M.",
    year: 2003,
    title: "Simple model of spiking neurons",
    published: Published::Journal("IEEE Transactions on Neural Networks"),
    place: &[("volume", "14"), ("number", "6"), ("pages", "1569--1572")],
    identifier: "10.1109/TNN.2003.820440",
};

pub(crate) const IZHIKEVICH_2007: &Paper = &Paper {
    key: "Izhikevich2007",
    authors: "Izhikevich, Eugene M.",
    year: 2007,
    title: "Solving the distal reward problem through linkage of {STDP} and dopamine signaling",
    published: Published::Journal("Cerebral Cortex"),
    place: &[("volume", "17"), ("number", "10"), ("pages", "2443--2452")],
    identifier: "10.1093/cercor/bhl152",
};

pub(crate) const LEGENSTEIN_2010: &Paper = &Paper {
    key: "Legenstein2010",
    authors: "Legenstein, Robert and Chase, Steven M. and Schwartz, Andrew B. and Maass, Wolfgang",
    year: 2010,
    title: "A reward-modulated {Hebbian} learning rule can explain experimentally observed network reorganization in a brain control task",
    published: Published::Journal("Journal of Neuroscience"),
    place: &[("volume", "30"), ("number", "25"), ("pages", "8400--8410")],
    identifier: "10.1523/JNEUROSCI.4284-09.2010",
};

pub(crate) const LOSHCHILOV_2019: &Paper = &Paper {
    key: "Loshchilov2019",
    authors: "Loshchilov, Ilya and Hutter, Frank",
    year: 2019,
    title: "Decoupled weight decay regularization",
    published: Published::Proceedings("International Conference on Learning Representations"),
    place: &[],
    identifier: "1711.05101",
};

pub(crate) const MANTE_2013: &Paper = &Paper {
    key: "Mante2013",
    authors: "Mante, Valerio and Sussillo, David and Shenoy, Krishna V. and Newsome, William T.",
    year: 2013,
    title: "Context-dependent computation by recurrent dynamics in prefrontal cortex",
    published: Published::Journal("Nature"),
    place: &[("volume", "503"), ("pages", "78--84")],
    identifier: "10.1038/nature12742",
};

pub(crate) const MASTROGIUSEPPE_2017: &Paper = &Paper {
    key: "Mastrogiuseppe2017",
    authors: "Mastrogiuseppe, Francesca and Ostojic, Srdjan",
    year: 2017,
    title: "Intrinsically-generated fluctuating activity in excitatory-inhibitory networks",
    published: Published::Journal("PLoS Computational Biology"),
    place: &[("volume", "13"), ("number", "4"), ("pages", "e1005498")],
    identifier: "10.1371/journal.pcbi.1005498",
};

pub(crate) const MICHAELS_2016: &Paper = &Paper {
    key: "Michaels2016",
    authors: r#"Michaels, Jonathan A. and Scherberger, Hansj{\"o}rg"#,
    year: 2016,
    title: "{hebbRNN}: a reward-modulated {Hebbian} learning rule for recurrent neural networks",
    published: Published::Journal("Journal of Open Source Software"),
    place: &[("volume", "1"), ("number", "8"), ("pages", "60")],
    identifier: "10.21105/joss.00060",
};

pub(crate) const MICONI_2017: &Paper = &Paper {
    key: "Miconi2017",
    authors: "Miconi, Thomas",
    year: 2017,
    title: "Biologically plausible learning in recurrent neural networks reproduces neural dynamics observed during cognitive tasks",
    published: Published::Journal("eLife"),
    place: &[("volume", "6"), ("pages", "e20899")],
    identifier: "10.7554/eLife.20899",
};

pub(crate) const MICONI_2018: &Paper = &Paper {
    key: "Miconi2018",
    authors: "Miconi, Thomas and Stanley, Kenneth O. and Clune, Jeff",
    year: 2018,
    title: "Differentiable plasticity: training plastic neural networks with backpropagation",
    published: Published::Proceedings("International Conference on Machine Learning"),
    place: &[],
    identifier: "1804.02464",
};

pub(crate) const MORCOS_2016: &Paper = &Paper {
    key: "Morcos2016",
    authors: "Morcos, Ari S. and Harvey, Christopher D.",
    year: 2016,
    title: "History-dependent variability in population dynamics during evidence accumulation in cortex",
    published: Published::Journal("Nature Neuroscience"),
    place: &[("volume", "19"), ("pages", "1672--1681")],
    identifier: "10.1038/nn.4403",
};

pub(crate) const MURRAY_2019: &Paper = &Paper {
    key: "Murray2019",
    authors: "Murray, James M.",
    year: 2019,
    title: "Local online learning in recurrent networks with random feedback",
    published: Published::Journal("eLife"),
    place: &[("volume", "8"), ("pages", "e43299")],
    identifier: "10.7554/eLife.43299",
};

pub(crate) const OJA_1982: &Paper = &Paper {
    key: "Oja1982",
    authors: "Oja, Erkki",
    year: 1982,
    title: "A simplified neuron model as a principal component analyzer",
    published: Published::Journal("Journal of Mathematical Biology"),
    place: &[("volume", "15"), ("pages", "267--273")],
    identifier: "10.1007/BF00275687",
};

pub(crate) const ROBBINS_1952: &Paper = &Paper {
    key: "Robbins1952",
    authors: "Robbins, Herbert",
    year: 1952,
    title: "Some aspects of the sequential design of experiments",
    published: Published::Journal("Bulletin of the American Mathematical Society"),
    place: &[("volume", "58"), ("number", "5"), ("pages", "527--535")],
    identifier: "10.1090/S0002-9904-1952-09620-8",
};

pub(crate) const SONG_2000: &Paper = &Paper {
    key: "Song2000",
    authors: "Song, Sen and Miller, Kenneth D. and Abbott, L. F.",
    year: 2000,
    title: "Competitive {Hebbian} learning through synaptic modification by spike-timing-dependent plasticity",
    published: Published::Journal("Nature Neuroscience"),
    place: &[("volume", "3"), ("number", "9"), ("pages", "919--926")],
    identifier: "10.1038/78829",
};

pub(crate) const SONG_2016: &Paper = &Paper {
    key: "Song2016",
    authors: "Song, H. Francis and Yang, Guangyu R. and Wang, Xiao-Jing",
    year: 2016,
    title:
        "Training excitatory-inhibitory recurrent neural networks for cognitive tasks: a simple and flexible framework",
    published: Published::Journal("PLoS Computational Biology"),
    place: &[("volume", "12"), ("number", "2"), ("pages", "e1004792")],
    identifier: "10.1371/journal.pcbi.1004792",
};

pub(crate) const SUTTON_1996: &Paper = &Paper {
    key: "Sutton1996",
    authors: "Sutton, Richard S.",
    year: 1996,
    title: "Generalization in reinforcement learning: successful examples using sparse coarse coding",
    published: Published::Proceedings("Advances in Neural Information Processing Systems"),
    place: &[("volume", "8"), ("pages", "1038--1044")],
    identifier: "",
};

pub(crate) const TOWERS_2024: &Paper = &Paper {
    key: "Towers2024",
    authors: "Towers, Mark and Kwiatkowski, Ariel and Terry, Jordan and others",
    year: 2024,
    title: "{Gymnasium}: a standard interface for reinforcement learning environments",
    published: Published::Preprint,
    place: &[],
    identifier: "2407.17032",
};

pub(crate) const VASILAKI_2009: &Paper = &Paper {
    key: "Vasilaki2009",
    authors: r"Vasilaki, Eleni and Fr{\'e}maux, Nicolas and Urbanczik, Robert and Senn, Walter and Gerstner, Wulfram",
    year: 2009,
    title: "Spike-based reinforcement learning in continuous state and action space: when policy gradient methods fail",
    published: Published::Journal("PLoS Computational Biology"),
    place: &[("volume", "5"), ("number", "12"), ("pages", "e1000586")],
    identifier: "10.1371/journal.pcbi.1000586",
};

pub(crate) const WERBOS_1990: &Paper = &Paper {
    key: "Werbos1990",
    authors: "Werbos, Paul J.",
    year: 1990,
    title: "Backpropagation through time: what it does and how to do it",
    published: Published::Journal("Proceedings of the IEEE"),
    place: &[("volume", "78"), ("number", "10"), ("pages", "1550--1560")],
    identifier: "10.1109/5.58337",
};

pub(crate) const YANG_2019: &Paper = &Paper {
    key: "Yang2019",
    authors:
        "Yang, Guangyu Robert and Joglekar, Madhura R. and Song, H. Francis and Newsome, William T. and Wang, Xiao-Jing",
    year: 2019,
    title: "Task representations in neural networks trained to perform many cognitive tasks",
    published: Published::Journal("Nature Neuroscience"),
    place: &[("volume", "22"), ("pages", "297--306")],
    identifier: "10.1038/s41593-018-0310-2",
};
