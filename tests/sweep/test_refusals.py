"""Every wrong sweep is refused in one line that names key, rule and value."""

import tomllib

import pytest

from decaybench.errors import UserError
from decaybench.sweep import Sweep

RIGHT = """
name = "x"
question = "?"
[task]
data = "digits"
model = "small-cnn"
epochs = 10
batch_size = 64
[budget]
trials = 3
repeats = 5
confirm_seeds = 2
[search]
seed = 0
[strategies.constant]
"""

# (what is replaced in RIGHT, by what, the whole line after "x.toml: ")
TABLES = [
    ('name = "x"', "", "name: required key is missing"),
    ('name = "x"', "name = 3", "name: must be a string, got 3"),
    ('name = "x"', 'name = "a b"', 'name: must match [A-Za-z0-9_-]{1,64}, got "a b"'),
    ('name = "x"', 'name = ""', 'name: must match [A-Za-z0-9_-]{1,64}, got ""'),
    ('name = "x"', 'name = "x\\n"', 'name: must match [A-Za-z0-9_-]{1,64}, got "x\\n"'),
    ('question = "?"', "question = true", "question: must be a string, got true"),
    ('question = "?"', "queston = 1", "queston: unknown key; known: name, question, task, budget, decide, search, strategies"),
    ('data = "digits"', "data = 1", "task.data: must be a string, got 1"),
    ('data = "digits"', 'data = ""', 'task.data: must not be empty, got ""'),
    ("epochs = 10", "epochs = 0", "task.epochs: must be >= 1, got 0"),
    ("epochs = 10", "epochs = 10.0", "task.epochs: must be a whole number, got 10.0"),
    ("epochs = 10", "epochs = true", "task.epochs: must be a whole number, got true"),
    ("epochs = 10", 'epochs = "10"', 'task.epochs: must be a whole number, got "10"'),
    ("epochs = 10", "epochs = 2024-01-01", "task.epochs: must be a whole number, got 2024-01-01"),
    ("epochs = 10", "epochs = 1" + 400 * "0", "task.epochs: must be <= 1000000, got a whole number of 1329 bits"),
    ("batch_size = 64", "batch_size = 0", 'task.batch_size: must be a whole number >= 1 or "full", got 0'),
    ("batch_size = 64", 'batch_size = "all"', 'task.batch_size: must be a whole number >= 1 or "full", got "all"'),
    ("batch_size = 64", "batch_size = true", 'task.batch_size: must be a whole number >= 1 or "full", got true'),
    ("batch_size = 64", "batch_size = [64]", 'task.batch_size: must be a whole number >= 1 or "full", got [64]'),
    ("epochs = 10", 'epochs = 10\noptimizer = "rmsprop"', 'task.optimizer: must be one of sgd, adam, adamw, schedule-free, prodigy, got "rmsprop"'),
    ("epochs = 10", 'epochs = 10\noptimizer = "adam"\nnesterov = true', "strategies.constant.nesterov: must be false under adam, which has no Nesterov form, got true"),
    ("epochs = 10", "epochs = 10\ndropout = 1", "task.dropout: must be < 1, got 1"),
    ("epochs = 10", "epochs = 10\nnesterov = 1", "task.nesterov: must be true or false, got 1"),
    ("epochs = 10", 'epochs = 10\nvelocity = "tf"', 'task.velocity: must be one of torch, keras, got "tf"'),
    ("epochs = 10", "epochs = 10\ndecay_biases = 0", "task.decay_biases: must be true or false, got 0"),
    ("epochs = 10", 'epochs = 10\nprecision = "fp16"', 'task.precision: must be one of fp32, bf16, fp64, got "fp16"'),
    ("epochs = 10", 'epochs = 10\nmetric = "f1"', 'task.metric: must be one of accuracy, loss, got "f1"'),
    ("epochs = 10", 'epochs = 10\naugment = "flip"', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got "flip"'),
    ("epochs = 10", 'epochs = 10\naugment = []', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got []'),
    ("epochs = 10", 'epochs = 10\naugment = ["crop"]', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got ["crop"]'),
    ("epochs = 10", 'epochs = 10\naugment = ["flip", "mixup"]', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got ["flip", "mixup"]'),
    ("epochs = 10", 'epochs = 10\naugment = ["crop0"]', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got ["crop0"]'),
    ("epochs = 10", 'epochs = 10\naugment = ["flip4"]', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got ["flip4"]'),
    ("epochs = 10", 'epochs = 10\naugment = [4]', 'task.augment: must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4"), got [4]'),
    ("epochs = 10", 'epochs = 10\naugment = ["crop4", "flip", "crop2"]', 'task.augment: must have each kind once at most, got ["crop4", "flip", "crop2"]'),
    ("epochs = 10", "epochs = 10\nclip_norm = 0", "task.clip_norm: must be > 0, got 0"),
    ("epochs = 10", "epochs = 10\nclip_norm = inf", "task.clip_norm: must be finite, got inf"),
    ("epochs = 10", "epochs = 10\nclip_norm = true", "task.clip_norm: must be a number, got true"),
    ("epochs = 10", "epochs = 10\nlabel_smoothing = 0", "task.label_smoothing: must be > 0, got 0"),
    ("epochs = 10", "epochs = 10\nlabel_smoothing = 1.0", "task.label_smoothing: must be < 1, got 1.0"),
    ("epochs = 10", "epochs = 10\naverage = 0.9", "task.average: must be { ema = 0.999 } or { last = 5 } (epochs), got 0.9"),
    ("epochs = 10", "epochs = 10\naverage = {}", "task.average: must be { ema = 0.999 } or { last = 5 } (epochs), got {}"),
    ("epochs = 10", "epochs = 10\naverage = {ema = 0.9, last = 2}", "task.average: must be { ema = 0.999 } or { last = 5 } (epochs), got {ema = 0.9, last = 2}"),
    ("epochs = 10", "epochs = 10\naverage = {swa = 2}", "task.average: must be { ema = 0.999 } or { last = 5 } (epochs), got {swa = 2}"),
    ("epochs = 10", "epochs = 10\naverage = {ema = 1}", "task.average.ema: must be in (0, 1), got 1"),
    ("epochs = 10", "epochs = 10\naverage = {ema = nan}", "task.average.ema: must be in (0, 1), got nan"),
    ("epochs = 10", "epochs = 10\naverage = {ema = true}", "task.average.ema: must be in (0, 1), got true"),
    ("epochs = 10", "epochs = 10\naverage = {last = 1}", "task.average.last: must be a whole number >= 2, got 1"),
    ("epochs = 10", "epochs = 10\naverage = {last = 2.0}", "task.average.last: must be a whole number >= 2, got 2.0"),
    ("epochs = 10", "epochs = 10\naverage = {last = 11}", "task.average.last: must be at most 10, the epochs of the shortest run, got 11"),
    ("confirm_seeds = 2", "lengths = [0.3, 1.0]\n[strategies.a]\nschedule = 'constant'\naverage = {last = 4}", "strategies.a.average.last: must be at most 3, the epochs of the shortest run, got 4"),
    ("epochs = 10", "epochs = 10\naverage = {ema = 0.9}\noptimizer = 'schedule-free'", "strategies.constant.average: must be absent under schedule-free, which averages by itself, got {ema = 0.9}"),
    ("batch_size = 64", "batch_size = 64\nlabel_smoothing = 0.1\n[strategies.polyak]", 'strategies.polyak.schedule: must not look at gradients under task.label_smoothing = 0.1, which changes them, got "polyak"'),
    ("epochs = 10", "epochs = 10\ntrain_size = 0", "task.train_size: must be >= 1, got 0"),
    ("epochs = 10", "epochs = 10\ntest_size = 0.5", "task.test_size: must be a whole number, got 0.5"),
    ("epochs = 10", "epochs = 10\nvalidation_size = -1", "task.validation_size: must be >= 1, got -1"),
    ("trials = 3", "trails = 3", "budget.trails: unknown key; known: trials, repeats, confirm_seeds, lengths (1 more error)"),
    ("trials = 3", "trials = 3\ntrails = 3", "budget.trails: unknown key; known: trials, repeats, confirm_seeds, lengths"),
    ("trials = 3", "trials = 0", "budget.trials: must be >= 1, got 0"),
    ("trials = 3", "trials = 100001", "budget.trials: must be <= 100000, got 100001"),
    ("repeats = 5", "repeats = 0", "budget.repeats: must be in [1, 10000], got 0"),
    ("repeats = 5", "repeats = 10001", "budget.repeats: must be in [1, 10000], got 10001"),
    ("repeats = 5", "repeats = true", "budget.repeats: must be a whole number, or a table such as { from = 6, to = 40 }, got true"),
    ("repeats = 5", "repeats = 5.0", "budget.repeats: must be a whole number, or a table such as { from = 6, to = 40 }, got 5.0"),
    ("repeats = 5", "repeats = { from = 6 }", "budget.repeats.to: required key is missing"),
    ("repeats = 5", "repeats = { to = 6 }", "budget.repeats.from: required key is missing"),
    ("repeats = 5", "repeats = { from = 6, to = 5 }", "budget.repeats.to: must be at least from = 6, got 5"),
    ("repeats = 5", "repeats = { from = 4, to = 5 }", "budget.repeats.from: must be at least 5, got 4"),
    ("repeats = 5", "repeats = { from = 0, to = 40 }", "budget.repeats.from: must be at least 5, got 0"),
    ("repeats = 5", "repeats = { from = 0, to = 0 }", "budget.repeats.from: must be >= 1, got 0 (1 more error)"),
    ("repeats = 5", "repeats = { from = true, to = 9 }", "budget.repeats.from: must be a whole number, got true"),
    ("repeats = 5", "repeats = { from = 6, to = 10001 }", "budget.repeats.to: must be <= 10000, got 10001"),
    ("repeats = 5", "repeats = { from = 6.0, to = 7 }", "budget.repeats.from: must be a whole number, got 6.0"),
    ("repeats = 5", "repeats = { from = 6, to = 7, step = 1 }", "budget.repeats.step: unknown key; known: from, to"),
    ("confirm_seeds = 2", "confirm_seeds = -1", "budget.confirm_seeds: must be >= 0, got -1"),
    ("[search]", "[decide]\nuntil = 'some'\n[search]", 'decide.until: must be one of one, all, end, got "some"'),
    ("[search]", "[decide]\nwhen = 'all'\n[search]", "decide.when: unknown key; known: until, control"),
    ("[search]", "[decide]\ncontrol = 1\n[search]", "decide.control: must be true or false, got 1"),
    ("[search]", "[decide]\ncontrol = true\nuntil = 'all'\n[search]", 'decide.control: true cannot decide until = "all", which needs every pair'),
    ("[strategies.constant]", "[decide]\ncontrol = true\n[strategies.cosine]", "decide.control: true needs exactly one strategy of kind constant whose optimizer needs a schedule, and which has no average of its own, got none"),
    ("[strategies.constant]", "[decide]\ncontrol = true\n[strategies.constant]\noptimizer = 'schedule-free'\n[strategies.cosine]", "decide.control: true needs exactly one strategy of kind constant whose optimizer needs a schedule, and which has no average of its own, got none"),
    ("[strategies.constant]", "[decide]\ncontrol = true\n[strategies.constant]\naverage = {last = 5}\n[strategies.cosine]", "decide.control: true needs exactly one strategy of kind constant whose optimizer needs a schedule, and which has no average of its own, got none"),
    ("[strategies.constant]", "[decide]\ncontrol = true\n[strategies.a]\nschedule = 'constant'\n[strategies.constant]", "decide.control: true needs exactly one strategy of kind constant whose optimizer needs a schedule, and which has no average of its own, got a, constant"),
    ("trials = 3", "trials = 3\nlengths = 1.0", "budget.lengths: must be a list, got 1.0"),
    ("trials = 3", "trials = 3\nlengths = []", "budget.lengths: must be a list of distinct fractions, at least one, got []"),
    ("trials = 3", "trials = 3\nlengths = [0.0, 1.0]", "budget.lengths[0]: must be > 0, got 0.0"),
    ("trials = 3", "trials = 3\nlengths = [1.0, 1.5]", "budget.lengths[1]: must be <= 1, got 1.5"),
    ("trials = 3", "trials = 3\nlengths = [nan]", "budget.lengths[0]: must be finite, got nan"),
    ("trials = 3", "trials = 3\nlengths = [true]", "budget.lengths[0]: must be a number, got true"),
    (
        "trials = 3",
        "trials = 3\nlengths = [1, 1.0]",
        "budget.lengths: must be a list of distinct fractions, at least one, got [1.0, 1.0]",
    ),
    (
        "trials = 3",
        "trials = 3\nlengths = [0.5, 0.51]",
        "budget.lengths: must differ in whole epochs, got [0.5, 0.51], which of 10 epochs are [5, 5]",
    ),
    ("seed = 0", "seed = -1", "search.seed: must be >= 0, got -1"),
    ("seed = 0", "batch = 0", "search.batch: must be >= 1, got 0"),
    ("seed = 0", 'sampler = "grid"', 'search.sampler: must be one of sobol, random, tpe, got "grid"'),
    ("seed = 0", 'allocation = "shared"', 'search.allocation: must be one of balanced, adaptive, got "shared"'),
    ("seed = 0", 'allocation = "adaptive"', 'search.allocation: "adaptive" needs sampler = "random" or "tpe", got sampler = "sobol"'),
    ("seed = 0", 'sampler = "tpe"\nbatch = 0', "search.batch: must be >= 1, got 0"),
    ("seed = 0", "learning_rate = 0", "search.learning_rate: must be > 0, got 0"),
    ("seed = 0", "learning_rate = true", "search.learning_rate: must be a number, got true"),
    ("seed = 0", 'learning_rate = "0.1"', 'search.learning_rate: must be a number, got "0.1"'),
    ("seed = 0", "learning_rate = nan", "search.learning_rate: must be finite, got nan"),
    ("seed = 0", "learning_rate = {}", "search.learning_rate.low: required key is missing: a table here holds value, choices, or low and high"),
    ("seed = 0", "learning_rate = [0.1]", "search.learning_rate: must be a number, got [0.1]"),
    ("seed = 0", "learning_rate = {low = 0.1, high = inf}", "search.learning_rate.high: must be finite, got inf"),
    ("seed = 0", "learning_rate = {low = 1, high = 0.1}", "search.learning_rate.low: must be <= high (0.1), got 1"),
    ("seed = 0", "learning_rate = {low = 0, high = 1, log = true}", "search.learning_rate.low: must be > 0 when log = true, got 0"),
    ("seed = 0", "learning_rate = {low = 0, high = 1}", "search.learning_rate.low: must be > 0, got 0"),
    ("seed = 0", "learning_rate = {low = 0.1, hi = 1}", "search.learning_rate.hi: unknown key; known: low, high, log, int, unit"),
    ("seed = 0", "learning_rate = {low = 0.1, high = 1, log = 1}", "search.learning_rate.log: must be true or false, got 1"),
    ("seed = 0", "learning_rate = {low = 1, high = 2, int = true}", "search.learning_rate.int: must be false: learning_rate is not a whole number, got true"),
    ("seed = 0", 'learning_rate = {value = 1, unit = "run"}', 'search.learning_rate.unit: learning_rate has no unit, got "run"'),
    ("seed = 0", "learning_rate = {value = 1, low = 2}", "search.learning_rate.low: unknown key; known: value, unit"),
    ("seed = 0", "learning_rate = {choices = []}", "search.learning_rate.choices: must be a list of at least one value, got []"),
    ("seed = 0", "learning_rate = {choices = [0.1, 0.1]}", "search.learning_rate.choices: must be distinct, got [0.1, 0.1]"),
    ("seed = 0", 'learning_rate = {choices = [0.1, "a"]}', 'search.learning_rate.choices: must be a number, got "a"'),
    ("seed = 0", "momentum = 1", "search.momentum: must be in [0, 1), got 1"),
    ("seed = 0", "momentum = -0.1", "search.momentum: must be in [0, 1), got -0.1"),
    ("seed = 0", "momentum = {low = 0.5, high = 1.0}", "search.momentum.high: must be in [0, 1), got 1.0"),
    ("seed = 0", "weight_decay = -1e-4", "search.weight_decay: must be >= 0, got -0.0001"),
    ("seed = 0", "weight_decay = {low = 0, high = 1e-3, log = true}", "search.weight_decay.low: must be > 0 when log = true, got 0"),
    ("[search]\nseed = 0", "search = 1", "budget.search: unknown key; known: trials, repeats, confirm_seeds, lengths"),
    ("[strategies.constant]", "", "strategies: required key is missing"),
    ("[strategies.constant]", "[strategies]", "strategies: must hold at least one strategy, got {}"),
    ("[strategies.constant]", "[strategies]\nconstant = 1", "strategies.constant: must be a table, got 1"),
    ("[strategies.constant]", '[strategies."a b"]', 'strategies."a b": must match [A-Za-z0-9_-]{1,64}, got "a b"'),
]  # fmt: skip

# (the strategies of a sweep in place of RIGHT's, what the line says after "x.toml: strategies.")
STRATEGIES = [
    ("[strategies.fast]", "fast.schedule: must be one of constant, "),
    ("[strategies.quick]", "got 'quick' (schedule defaults to the label)"),
    ("[strategies.cosin]", "cosin.schedule: unknown kind 'cosin'; did you mean 'cosine'? `decaybench schedules` lists all kinds (schedule"),
    ("[strategies.a]\nschedule = 3", "a.schedule: must be one of constant, "),
    ("[strategies.constant]\ndrop = 1", "constant.drop: unknown key; known for constant: warmup, warmup_start, schedule, "),
    ("[strategies.exponential]\ndecay_ratte = 1", "exponential.decay_ratte: unknown key; known for exponential: decay_rate, decay_steps, staircase, "),
    ("[strategies.constant]\nown = 1", "constant.own: unknown key"),
    ('[strategies.constant]\noptimizer = "adam"\nnesterov = true', "constant.nesterov: must be false under adam"),
    ('[strategies.constant]\noptimizer = "prodigy"\nnesterov = true', "constant.nesterov: must be false under prodigy, which has no Nesterov form, got true"),
    ("[strategies.one_cycle]\nphases = 3\npct = 0.6", "with 3 phases, got 0.0"),
    ('[strategies.polyak]\noptimizer = "adam"', 'polyak.optimizer: must be "sgd", since polyak looks at gradients, got "adam"'),
    ('[strategies.mine]\nschedule = "alig"\noptimizer = "schedule-free"', 'mine.optimizer: must be "sgd", since alig looks at gradients, got "schedule-free"'),
    ('[strategies.l4]\nvelocity = "keras"', 'l4.velocity: must be "torch", since l4 needs a velocity that excludes the learning rate, got "keras"'),
    ('[strategies.hypergradient]\nvelocity = "keras"\nmomentum = {low = 0.5, high = 0.9}', "hypergradient.velocity: must be "),
    ('[strategies.constant]\noptimizer = "schedule-free"\nmomentum = 0', "constant.momentum: must be above 0 under schedule-free, got 0"),
    ("[strategies.constant]\nnesterov = true\nmomentum = 0", "constant.nesterov: needs momentum > 0, got true with momentum 0"),
    ("[strategies.constant]\nnesterov = true\nmomentum = {choices = [0.0, 0.9]}", "constant.nesterov: needs momentum > 0"),
    ('[strategies.constant]\noptimizer = "schedule-free"\naverage = {last = 2}', "constant.average: must be absent under schedule-free, which averages by itself, got {last = 2}"),
    ("[strategies.constant]\naverage = {ema = 0}", "constant.average.ema: must be in (0, 1), got 0"),
    ("[strategies.constant]\nlearning_rate = -1", "constant.learning_rate: must be > 0, got -1"),
    ("[strategies.constant]\nmomentum = {low = 0.9, high = 0.5}", "constant.momentum.low: must be <= high (0.5), got 0.9"),
    ("[strategies.exponential]\ndecay_rate = 1.3", "exponential.decay_rate: must be in (0, 1], got 1.3"),
    ("[strategies.exponential]\ndecay_rate = nan", "exponential.decay_rate: must be finite, got nan"),
    ("[strategies.exponential]\ndecay_rate = true", "exponential.decay_rate: must be a number, got true"),
    ('[strategies.exponential]\ndecay_rate = "0.5"', 'exponential.decay_rate: must be a number, got "0.5"'),
    ("[strategies.exponential]\ndecay_rate = [0.5]", "exponential.decay_rate: must be in (0, 1], got [0.5]"),
    ("[strategies.exponential]\ndecay_rate = 2024-01-01", "exponential.decay_rate: must be a number, a string, true or false, "),
    ("[strategies.exponential]\ndecay_rate = {low = 0.5, high = 1.5}", "exponential.decay_rate.high: must be in (0, 1], got 1.5"),
    ("[strategies.exponential]\ndecay_rate = {low = 1.5, high = 0.9}", "exponential.decay_rate.low: must be <= high (0.9), got 1.5"),
    ("[strategies.exponential]\ndecay_rate = {low = 0.5}", "exponential.decay_rate.high: required key is missing"),
    ("[strategies.exponential]\ndecay_rate = {choices = [0.5, 2]}", "exponential.decay_rate.choices: must be in (0, 1], got 2"),
    ('[strategies.exponential]\ndecay_rate = {value = 0.5, unit = "run"}', 'exponential.decay_rate.unit: decay_rate has no unit, got "run"'),
    ('[strategies.exponential]\ndecay_steps = {value = 1, unit = "1/run"}', 'exponential.decay_steps.unit: must be one of update, epoch, run, got "1/run"'),
    ('[strategies.exponential]\ndecay_steps = {value = 1, unit = "steps"}', "exponential.decay_steps.unit: must be one of update, epoch, run, 1/update, 1/epoch, 1/run, got"),
    ('[strategies.exponential]\ndecay_steps = {value = 0, unit = "epoch"}', "exponential.decay_steps.value: must be in (0, inf), got 0"),
    ("[strategies.exponential]\nstaircase = 1", "exponential.staircase: must be one of false, true, got 1"),
    ("[strategies.exponential]\nstaircase = {choices = [true, 0]}", "exponential.staircase.choices: must be one of false, true, got 0"),
    ("[strategies.exponential]\nstaircase = {low = 0, high = 1}", "exponential.staircase: must be one of false, true, or choices of them, got a range"),
    ("[strategies.exponential]\nwarmup = -1", "exponential.warmup: must be in [0, inf), got -1"),
    ('[strategies.exp_loss]\nsignal = "batches"', 'exp_loss.signal: must be one of "batch", "ema", "epoch", "held_out", got "batches"'),
    ('[strategies.exp_loss]\nsignal = {value = "ema", unit = "run"}', 'exp_loss.signal.unit: signal has no unit, got "run"'),
    ('[strategies.reduce_on_plateau]\nmode = "max"', 'reduce_on_plateau.mode: must be "min", since the rule observes a loss in a sweep, got "max"'),
    ('[strategies.drop]\nschedule = "reduce_on_plateau"\nmode = {choices = ["min", "max"]}', 'drop.mode.choices: must be "min", since the rule observes a loss in a sweep, got "max"'),
    ('[strategies.reduce_on_plateau]\nmode = "up"', 'reduce_on_plateau.mode: must be one of "min", "max", got "up"'),
    ("[strategies.reduce_on_plateau]\npatience = 1.5", "reduce_on_plateau.patience: must be a whole number in [0, inf), got 1.5"),
    ("[strategies.reduce_on_plateau]\npatience = {low = 0.5, high = 3}", "reduce_on_plateau.patience.low: must be a whole number in [0, inf), got 0.5"),
    ("[strategies.reduce_on_plateau]\npatience = {low = 1, high = 3, int = false}", "reduce_on_plateau.patience: must be a whole number in [0, inf), got {low = 1.0, high = 3.0, int = false}"),
    ("[strategies.reduce_on_plateau]\npatience = {low = 0.1, high = 0.3, unit = 'run', int = true}", "reduce_on_plateau.patience.low: must be a whole number, since it is a range of whole numbers, got 0.1"),
    ("[strategies.step_decay]\noffset = {low = 0, high = 2}", "step_decay.offset: must be a whole number in [0, inf), got {low = 0.0, high = 2.0, int = false}"),
    ("[strategies.exp_loss]\ngain = {value = {a = 1}}", "exp_loss.gain.value: must be a number, a string, true or false, a list of numbers, got {a = 1}"),
    ('[strategies.time_based]\nper = {choices = ["update", "epoch"]}', "time_based.per: must be fixed, since the unit of decay depends on it, got choices"),
    ("[strategies.multi_step]\nmilestones = []", "multi_step.milestones: must not be an empty list, got []"),
    ("[strategies.multi_step]\nmilestones = [6, 3]", "multi_step.milestones: must be sorted, got [6, 3]"),
    ('[strategies.multi_step]\nmilestones = [6, "7"]', 'multi_step.milestones: must be a number, got "7"'),
    ("[strategies.multi_step]\ngamma = [0.1, 0.1]", "multi_step.gamma: must be one number or one per milestone ("),
    ("[strategies.multi_step]\nmilestones = [3, 6]\ngamma = [0.1, 0.1, 0.1]", "multi_step.gamma: must be one number or one per milestone (2), got"),
    (
        "[strategies.a]\nschedule = 'constant'\n[strategies.b]\nschedule = 'constant'\nlearning_rate = {low = 0.1, high = 1}",
        "b.learning_rate: must be searched like strategies.a's (log = true), since trials are paired, got log = false",
    ),
    (
        "[strategies.exp_loss]\n[strategies.constant]\nlearning_rate = {choices = [0.1, 0.2]}",
        "constant.learning_rate: must be searched like strategies.exp_loss's (log = true), since trials are paired, got choices = [0.1, 0.2]",
    ),
    (
        "[strategies.exp_loss]\nmomentum = {choices = [0.1, 0.9]}\n[strategies.constant]\nmomentum = {choices = [0.9, 0.1]}",
        "constant.momentum: must be searched like strategies.exp_loss's (choices = [0.1, 0.9]), since trials are paired, got choices = [0.9, 0.1]",
    ),
]  # fmt: skip


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        Sweep.from_mapping(tomllib.loads(text), "x.toml")
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(("old", "new", "line"), TABLES)
def test_tables(old: str, new: str, line: str):
    assert old in RIGHT
    assert refusal(RIGHT.replace(old, new, 1)) == f"x.toml: {line}"


@pytest.mark.parametrize(("strategies", "part"), STRATEGIES)
def test_strategies(strategies: str, part: str):
    line = refusal(RIGHT.replace("[strategies.constant]", strategies))
    assert line.startswith("x.toml: strategies.")
    assert part in line
    assert "(and" not in line


def test_right_is_right():
    assert Sweep.from_mapping(tomllib.loads(RIGHT), "x.toml").name == "x"


def test_a_mapping_is_wanted():
    with pytest.raises(UserError, match=r"^sweep: must be a mapping, got 3$"):
        Sweep.from_mapping(3, "sweep")  # type: ignore[arg-type]


def test_a_search_that_compares_nothing_has_one_number_of_repeats():
    adaptive = RIGHT.replace("[search]", '[search]\nsampler = "tpe"\nallocation = "adaptive"')
    rule = 'must be one number with search.allocation = "adaptive", which compares nothing, got {from = 6, to = 7}'
    assert (
        refusal(adaptive.replace("repeats = 5", "repeats = { from = 6, to = 7 }")) == f"x.toml: budget.repeats: {rule}"
    )
    assert Sweep.from_mapping(tomllib.loads(adaptive), "x.toml").spec()["budget"]["repeats"] == {"from": 5, "to": 5}
    default = tomllib.loads(adaptive.replace("repeats = 5", ""))
    assert Sweep.from_mapping(default, "x.toml").spec()["budget"]["repeats"] == {"from": 6, "to": 6}


def test_python_values_are_as_strict():
    mapping = tomllib.loads(RIGHT)
    mapping["budget"]["trials"] = 10**5000
    with pytest.raises(UserError, match=r"budget\.trials: must be <= 100000, got a whole number of"):
        Sweep.from_mapping(mapping, "sweep")


def test_a_plan_that_no_disk_could_hold():
    mapping = tomllib.loads(RIGHT)
    mapping["budget"] |= {"trials": 100_000, "repeats": 1_000}
    with pytest.raises(
        UserError, match=r"x\.toml: budget: must plan at most 10,000,000 runs in total, got 100,000,010"
    ):
        Sweep.from_mapping(mapping, "x.toml")
