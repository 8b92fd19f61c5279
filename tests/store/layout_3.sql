BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE decaybench_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "decaybench_version" VALUES(3);
CREATE TABLE epochs (
	run_id VARCHAR(36) NOT NULL, 
	epoch INTEGER NOT NULL CONSTRAINT epoch_least CHECK (epoch >= 1), 
	train_loss FLOAT NOT NULL CONSTRAINT train_loss_finite CHECK (train_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	validation_loss FLOAT NOT NULL CONSTRAINT validation_loss_finite CHECK (validation_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	validation_accuracy FLOAT NOT NULL CONSTRAINT validation_accuracy_range CHECK (validation_accuracy BETWEEN 0 AND 1), 
	learning_rate FLOAT NOT NULL CONSTRAINT learning_rate_finite CHECK (learning_rate BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	seconds FLOAT NOT NULL CONSTRAINT seconds_finite CHECK (seconds BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	PRIMARY KEY (run_id, epoch), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "epochs" VALUES('da3c9eb4-2606-5c67-a032-508d4a2160b2',1,2.31850671768188476562e+00,2.30835245768229180285e+00,0.1,1.26237180083990097045e-02,1.75495182300801388919e+00);
INSERT INTO "epochs" VALUES('730c811f-01cb-5fb5-b0a8-cda1daa7fc30',1,2.31137681007385253906e+00,2.30410428365071595635e+00,0.09,6.49917051196098327636e-02,1.75495182300801388919e+00);
INSERT INTO "epochs" VALUES('9e819191-0fe2-5d45-bb21-933935e78ac3',1,2.31895267963409423828e+00,2.30537770589192714254e+00,0.1,4.07587550580501556396e-02,1.75495182300801388919e+00);
INSERT INTO "epochs" VALUES('6db858b1-f11d-5e5b-9e5d-189ae6b62676',1,2.311733245849609375e+00,2.30269299825032547346e+00,0.08,8.44006761908531188964e-02,1.75495182300801388919e+00);
INSERT INTO "epochs" VALUES('da3c9eb4-2606-5c67-a032-508d4a2160b2',2,2.31626713275909423828e+00,2.30540346781412752719e+00,0.1,1.26237180083990097045e-02,1.21322707900253590196e+00);
INSERT INTO "epochs" VALUES('730c811f-01cb-5fb5-b0a8-cda1daa7fc30',2,2.30271434783935546875e+00,2.2932789611816404296e+00,9.66666666666666646312e-02,6.49917051196098327636e-02,1.21322707900253590196e+00);
INSERT INTO "epochs" VALUES('9e819191-0fe2-5d45-bb21-933935e78ac3',2,2.31180989742279052734e+00,2.29580388387044287412e+00,1.03333333333333332593e-01,4.06907014548778533935e-02,1.21322707900253590196e+00);
INSERT INTO "epochs" VALUES('6db858b1-f11d-5e5b-9e5d-189ae6b62676',2,2.30065250396728515625e+00,2.28935211181640640987e+00,0.12,8.42267274856567382812e-02,1.21322707900253590196e+00);
INSERT INTO "epochs" VALUES('2b57d4c1-e2cb-5add-aed5-4141d749f613',1,2.3181139230728149414e+00,2.29873786926269518815e+00,9.66666666666666646312e-02,6.49917051196098327636e-02,7.04015741008333861827e-01);
INSERT INTO "epochs" VALUES('11229981-31ad-580b-8de6-e156773cec2f',1,2.31916737556457519531e+00,2.29444112141927103465e+00,9.66666666666666646312e-02,8.43753218650817871093e-02,7.04015741008333861827e-01);
INSERT INTO "epochs" VALUES('2b57d4c1-e2cb-5add-aed5-4141d749f613',2,2.29011893272399902343e+00,2.27323491414388,2.03333333333333338144e-01,6.49917051196098327636e-02,4.25547567996545694768e-01);
INSERT INTO "epochs" VALUES('11229981-31ad-580b-8de6-e156773cec2f',2,2.283824920654296875e+00,2.26576563517252616009e+00,2.13333333333333347026e-01,8.40637311339378356933e-02,4.25547567996545694768e-01);
CREATE TABLE looks (
	sweep_id VARCHAR(36) NOT NULL, 
	length FLOAT NOT NULL CONSTRAINT length_range CHECK (length > 0 AND length <= 1), 
	step INTEGER NOT NULL CONSTRAINT step_least CHECK (step >= 0), 
	repeats INTEGER NOT NULL CONSTRAINT repeats_least CHECK (repeats >= 1), 
	spent FLOAT NOT NULL CONSTRAINT spent_range CHECK (spent BETWEEN 0 AND 1), 
	margin FLOAT NOT NULL CONSTRAINT margin_finite CHECK (margin BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	strategies TEXT NOT NULL, 
	trained_next TEXT NOT NULL, 
	PRIMARY KEY (sweep_id, length, step), 
	FOREIGN KEY(sweep_id) REFERENCES sweeps (id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id VARCHAR(36) NOT NULL, 
	sweep_id VARCHAR(36) NOT NULL, 
	phase VARCHAR(16) NOT NULL CONSTRAINT phase_known CHECK (phase IN ('search', 'confirm', 'replay')), 
	strategy VARCHAR(64) NOT NULL, 
	repeat INTEGER NOT NULL CONSTRAINT repeat_least CHECK (repeat >= 0), 
	slot INTEGER NOT NULL CONSTRAINT slot_least CHECK (slot >= 0), 
	length FLOAT NOT NULL CONSTRAINT length_range CHECK (length > 0 AND length <= 1), 
	seed BIGINT NOT NULL CONSTRAINT seed_range CHECK (seed BETWEEN 0 AND 9007199254740991), 
	trial_number INTEGER, 
	params TEXT, 
	outcome VARCHAR(16), 
	epochs_done INTEGER DEFAULT 0 NOT NULL CONSTRAINT epochs_done_least CHECK (epochs_done >= 0), 
	validation_loss FLOAT CONSTRAINT validation_loss_finite CHECK (validation_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	validation_accuracy FLOAT CONSTRAINT validation_accuracy_range CHECK (validation_accuracy BETWEEN 0 AND 1), 
	test_loss FLOAT CONSTRAINT test_loss_finite CHECK (test_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	test_accuracy FLOAT CONSTRAINT test_accuracy_range CHECK (test_accuracy BETWEEN 0 AND 1), 
	diverged_step BIGINT CONSTRAINT diverged_step_least CHECK (diverged_step >= 0), 
	attempt INTEGER DEFAULT 0 NOT NULL CONSTRAINT attempt_least CHECK (attempt >= 0), 
	device TEXT, 
	precision VARCHAR(16), 
	started_at VARCHAR(32), 
	finished_at VARCHAR(32), 
	stack INTEGER, 
	superseded BOOLEAN DEFAULT 0 NOT NULL, 
	replay_of VARCHAR(36), 
	pruned VARCHAR(16) CONSTRAINT pruned_known CHECK (pruned IN ('stopped', 'spared')), 
	updates_computed BIGINT CONSTRAINT updates_computed_least CHECK (updates_computed >= 0), 
	PRIMARY KEY (id), 
	CONSTRAINT runs_planned_once UNIQUE (sweep_id, phase, strategy, repeat, slot, length, seed), 
	FOREIGN KEY(sweep_id) REFERENCES sweeps (id) ON DELETE CASCADE
);
INSERT INTO "runs" VALUES('da3c9eb4-2606-5c67-a032-508d4a2160b2','03692801-0104-582a-b6a0-f7d20874176f','search','constant',0,0,1.0,8112344936556825,0,'{"learning_rate": 0.01262371788569113, "momentum": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.30540346781412752719e+00,0.1,NULL,NULL,NULL,1,'cpu','fp32','2026-11-29T19:28:58.573889+00:00','2026-11-29T19:29:02.789949+00:00',0,0,NULL,NULL,4);
INSERT INTO "runs" VALUES('9e819191-0fe2-5d45-bb21-933935e78ac3','03692801-0104-582a-b6a0-f7d20874176f','search','exp_loss',0,0,1.0,8112344936556825,3,'{"gain": 0.5039986000464755, "learning_rate": 0.01262371788569113, "max_scale": 1000.0, "momentum": 0.9, "signal": "batch", "smoothing": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.29580388387044287412e+00,1.03333333333333332593e-01,NULL,NULL,NULL,1,'cpu','fp32','2026-11-29T19:28:58.573889+00:00','2026-11-29T19:29:02.789949+00:00',0,0,NULL,NULL,3);
INSERT INTO "runs" VALUES('3d789395-a87f-5505-91e5-17e7d124ce5c','03692801-0104-582a-b6a0-f7d20874176f','search','doomed',0,0,1.0,8112344936556825,2,'{"learning_rate": 1e+30, "momentum": 0.0, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','diverged',0,NULL,NULL,NULL,NULL,1,1,'cpu','fp32','2026-11-29T19:28:58.573889+00:00','2026-11-29T19:29:02.789949+00:00',0,0,NULL,NULL,1);
INSERT INTO "runs" VALUES('730c811f-01cb-5fb5-b0a8-cda1daa7fc30','03692801-0104-582a-b6a0-f7d20874176f','search','constant',0,1,1.0,3957726799482696,1,'{"learning_rate": 0.06499170654800134, "momentum": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.2932789611816404296e+00,9.66666666666666646312e-02,NULL,NULL,NULL,1,'cpu','fp32','2026-11-29T19:28:58.573889+00:00','2026-11-29T19:29:02.789949+00:00',0,0,NULL,NULL,4);
INSERT INTO "runs" VALUES('6db858b1-f11d-5e5b-9e5d-189ae6b62676','03692801-0104-582a-b6a0-f7d20874176f','search','exp_loss',0,1,1.0,3957726799482696,4,'{"gain": 0.11238117091454919, "learning_rate": 0.06499170654800134, "max_scale": 1000.0, "momentum": 0.9, "signal": "batch", "smoothing": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.28935211181640640987e+00,0.12,NULL,NULL,NULL,1,'cpu','fp32','2026-11-29T19:28:58.573889+00:00','2026-11-29T19:29:02.789949+00:00',0,0,NULL,NULL,3);
INSERT INTO "runs" VALUES('2b57d4c1-e2cb-5add-aed5-4141d749f613','03692801-0104-582a-b6a0-f7d20874176f','confirm','constant',0,1,1.0,5411818739240250,NULL,'{"learning_rate": 0.06499170654800134, "momentum": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.27323491414388,2.03333333333333338144e-01,2.27410786946614562609e+00,1.66666666666666657414e-01,NULL,1,'cpu','fp32','2026-11-29T19:29:03.922447+00:00','2026-11-29T19:29:05.778514+00:00',1,0,NULL,NULL,4);
INSERT INTO "runs" VALUES('11229981-31ad-580b-8de6-e156773cec2f','03692801-0104-582a-b6a0-f7d20874176f','confirm','exp_loss',0,1,1.0,5411818739240250,NULL,'{"gain": 0.11238117091454919, "learning_rate": 0.06499170654800134, "max_scale": 1000.0, "momentum": 0.9, "signal": "batch", "smoothing": 0.9, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','finished',2,2.26576563517252616009e+00,2.13333333333333347026e-01,2.26649729410807276863e+00,0.2,NULL,1,'cpu','fp32','2026-11-29T19:29:03.922447+00:00','2026-11-29T19:29:05.778514+00:00',1,0,NULL,NULL,3);
INSERT INTO "runs" VALUES('98ceac03-80f4-528e-9d5e-88ae4ad1d1e6','03692801-0104-582a-b6a0-f7d20874176f','confirm','doomed',0,0,1.0,5411818739240250,NULL,'{"learning_rate": 1e+30, "momentum": 0.0, "warmup": 0, "warmup_start": 1, "weight_decay": 0.0}','diverged',0,NULL,NULL,NULL,NULL,1,1,'cpu','fp32','2026-11-29T19:29:03.922447+00:00','2026-11-29T19:29:05.778514+00:00',1,0,NULL,NULL,1);
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'old');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE sweeps (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	question TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	spec_hash VARCHAR(64) NOT NULL, 
	status VARCHAR(16) DEFAULT 'pending' NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	provenance TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "sweeps" VALUES('03692801-0104-582a-b6a0-f7d20874176f','old','Which decay?','{"name": "old", "question": "Which decay?", "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 32, "optimizer": "sgd", "nesterov": false, "velocity": "torch", "decay_biases": true, "dropout": 0.0, "precision": "fp32", "metric": "accuracy", "train_size": 64, "test_size": 30}, "budget": {"trials": 2, "repeats": 1, "confirm_seeds": 1, "lengths": [1.0]}, "search": {"sampler": "sobol", "allocation": "balanced", "seed": 0, "batch": 4, "learning_rate": {"low": 0.01, "high": 0.1, "log": true}, "momentum": 0.9, "weight_decay": 0.0}, "strategies": {"constant": {"schedule": "constant"}, "exp_loss": {"schedule": "exp_loss"}, "doomed": {"schedule": "constant", "learning_rate": 1e+30, "momentum": 0.0}}}','fd8c15348e4646164bc56b839f13e6e91f45bd004546260ec932f44ce7ed3cc0','complete','2026-11-29T19:28:31.353737+00:00','{"chance_accuracy": 0.10333333333333333, "chance_loss": 2.302585092994046, "classes": 10, "data_sha256": "77476cd5fec3ebe1111e6890610281daf447d7b82286e5174422993fd9162706", "device": "cpu", "device_name": "x86_64", "examples": {"signal": 0, "test": 30, "train": 64, "validation": 300}, "examples_in_two_splits": 0, "git_revision": null, "platform": "Linux-6.18.44-fc-v669-x86_64-with-glibc2.36", "precision": "fp32", "splits_sha256": "498ea76390fef06d0c098f9f01118b80a7297732c5c15c99249cf5ace5d1d1fa", "stack_size": 8, "steps_per_epoch": 2, "test_images_seen_before": 0, "threads": 1, "versions": {"Pillow": "13.0.0", "decaybench": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "scipy": "1.17.1", "sqlalchemy": "2.1.9", "torch": "2.13.0+cpu"}, "workers": 1}');
CREATE TABLE traces (
	run_id VARCHAR(36) NOT NULL, 
	learning_rate BLOB NOT NULL, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "traces" VALUES('da3c9eb4-2606-5c67-a032-508d4a2160b2',X'B6D34E3CB6D34E3CB6D34E3CB6D34E3C');
INSERT INTO "traces" VALUES('730c811f-01cb-5fb5-b0a8-cda1daa7fc30',X'5F1A853D5F1A853D5F1A853D5F1A853D');
INSERT INTO "traces" VALUES('3d789395-a87f-5505-91e5-17e7d124ce5c',X'CAF24971');
INSERT INTO "traces" VALUES('9e819191-0fe2-5d45-bb21-933935e78ac3',X'BED5253DA7F2263DABEB243D4BAB263D');
INSERT INTO "traces" VALUES('6db858b1-f11d-5e5b-9e5d-189ae6b62676',X'E753AC3D43DAAC3D0E41AC3D107FAC3D');
INSERT INTO "traces" VALUES('2b57d4c1-e2cb-5add-aed5-4141d749f613',X'5F1A853D5F1A853D5F1A853D5F1A853D');
INSERT INTO "traces" VALUES('98ceac03-80f4-528e-9d5e-88ae4ad1d1e6',X'CAF24971');
INSERT INTO "traces" VALUES('11229981-31ad-580b-8de6-e156773cec2f',X'F6AAAC3DF8CCAC3DC3EFAB3D9B29AC3D');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'strategy',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "exp_loss", "doomed"]}}');
INSERT INTO "trial_params" VALUES(2,1,'learning_rate',1.26237178856911293894e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(3,2,'strategy',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "exp_loss", "doomed"]}}');
INSERT INTO "trial_params" VALUES(4,2,'learning_rate',6.49917065480013350642e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(5,3,'strategy',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "exp_loss", "doomed"]}}');
INSERT INTO "trial_params" VALUES(6,4,'strategy',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "exp_loss", "doomed"]}}');
INSERT INTO "trial_params" VALUES(7,4,'learning_rate',1.26237178856911293894e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(8,4,'exp_loss.gain',5.03998600046475453417e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, "high": 2.0, "log": true}}');
INSERT INTO "trial_params" VALUES(9,5,'strategy',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "exp_loss", "doomed"]}}');
INSERT INTO "trial_params" VALUES(10,5,'learning_rate',6.49917065480013350642e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(11,5,'exp_loss.gain',1.12381170914549188832e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, "high": 2.0, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'run_id','"da3c9eb4-2606-5c67-a032-508d4a2160b2"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'strategy','"constant"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'repeat','0');
INSERT INTO "trial_user_attributes" VALUES(4,1,'slot','0');
INSERT INTO "trial_user_attributes" VALUES(5,1,'length','1.0');
INSERT INTO "trial_user_attributes" VALUES(6,1,'seed','8112344936556825');
INSERT INTO "trial_user_attributes" VALUES(7,2,'run_id','"730c811f-01cb-5fb5-b0a8-cda1daa7fc30"');
INSERT INTO "trial_user_attributes" VALUES(8,2,'strategy','"constant"');
INSERT INTO "trial_user_attributes" VALUES(9,2,'repeat','0');
INSERT INTO "trial_user_attributes" VALUES(10,2,'slot','1');
INSERT INTO "trial_user_attributes" VALUES(11,2,'length','1.0');
INSERT INTO "trial_user_attributes" VALUES(12,2,'seed','3957726799482696');
INSERT INTO "trial_user_attributes" VALUES(13,3,'run_id','"3d789395-a87f-5505-91e5-17e7d124ce5c"');
INSERT INTO "trial_user_attributes" VALUES(14,3,'strategy','"doomed"');
INSERT INTO "trial_user_attributes" VALUES(15,3,'repeat','0');
INSERT INTO "trial_user_attributes" VALUES(16,3,'slot','0');
INSERT INTO "trial_user_attributes" VALUES(17,3,'length','1.0');
INSERT INTO "trial_user_attributes" VALUES(18,3,'seed','8112344936556825');
INSERT INTO "trial_user_attributes" VALUES(19,4,'run_id','"9e819191-0fe2-5d45-bb21-933935e78ac3"');
INSERT INTO "trial_user_attributes" VALUES(20,4,'strategy','"exp_loss"');
INSERT INTO "trial_user_attributes" VALUES(21,4,'repeat','0');
INSERT INTO "trial_user_attributes" VALUES(22,4,'slot','0');
INSERT INTO "trial_user_attributes" VALUES(23,4,'length','1.0');
INSERT INTO "trial_user_attributes" VALUES(24,4,'seed','8112344936556825');
INSERT INTO "trial_user_attributes" VALUES(25,5,'run_id','"6db858b1-f11d-5e5b-9e5d-189ae6b62676"');
INSERT INTO "trial_user_attributes" VALUES(26,5,'strategy','"exp_loss"');
INSERT INTO "trial_user_attributes" VALUES(27,5,'repeat','0');
INSERT INTO "trial_user_attributes" VALUES(28,5,'slot','1');
INSERT INTO "trial_user_attributes" VALUES(29,5,'length','1.0');
INSERT INTO "trial_user_attributes" VALUES(30,5,'seed','3957726799482696');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.1,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,9.66666666666666646312e-02,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,1.03333333333333332593e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,1.03333333333333332593e-01,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,0.12,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-29 19:28:57.795527','2026-11-29 19:29:03.226320');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-29 19:28:57.928609','2026-11-29 19:29:03.226689');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-29 19:28:57.929418','2026-11-29 19:29:03.226728');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-29 19:28:57.929648','2026-11-29 19:29:03.226755');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-29 19:28:57.929910','2026-11-29 19:29:03.226789');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
