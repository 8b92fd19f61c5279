CREATE TABLE decaybench_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
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
	CONSTRAINT status_known CHECK (status IN ('pending', 'running', 'complete')), 
	UNIQUE (name)
);
CREATE TABLE runs (
	id VARCHAR(36) NOT NULL, 
	sweep_id VARCHAR(36) NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	strategy VARCHAR(64) NOT NULL, 
	repeat INTEGER NOT NULL, 
	slot INTEGER NOT NULL, 
	length FLOAT NOT NULL, 
	seed BIGINT NOT NULL, 
	trial_number INTEGER, 
	params TEXT, 
	outcome VARCHAR(16), 
	epochs_done INTEGER DEFAULT '0' NOT NULL, 
	validation_loss FLOAT, 
	validation_accuracy FLOAT, 
	test_loss FLOAT, 
	test_accuracy FLOAT, 
	diverged_step BIGINT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	device TEXT, 
	precision VARCHAR(16), 
	started_at VARCHAR(32), 
	finished_at VARCHAR(32), 
	stack INTEGER, 
	superseded BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT runs_planned_once UNIQUE (sweep_id, phase, strategy, repeat, slot, length, seed), 
	CONSTRAINT phase_known CHECK (phase IN ('search', 'confirm', 'replay')), 
	CONSTRAINT outcome_known CHECK (outcome IN ('finished', 'diverged', 'failed')), 
	CONSTRAINT repeat_least CHECK (repeat >= 0), 
	CONSTRAINT slot_least CHECK (slot >= 0), 
	CONSTRAINT length_range CHECK (length > 0 AND length <= 1), 
	CONSTRAINT seed_range CHECK (seed BETWEEN 0 AND 9007199254740991), 
	CONSTRAINT epochs_done_least CHECK (epochs_done >= 0), 
	CONSTRAINT validation_loss_finite CHECK (validation_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	CONSTRAINT validation_accuracy_range CHECK (validation_accuracy BETWEEN 0 AND 1), 
	CONSTRAINT test_loss_finite CHECK (test_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	CONSTRAINT test_accuracy_range CHECK (test_accuracy BETWEEN 0 AND 1), 
	CONSTRAINT search_reads_no_test CHECK (phase <> 'search' OR (test_loss IS NULL AND test_accuracy IS NULL)), 
	CONSTRAINT diverged_step_least CHECK (diverged_step >= 0), 
	CONSTRAINT attempt_least CHECK (attempt >= 0), 
	FOREIGN KEY(sweep_id) REFERENCES sweeps (id) ON DELETE CASCADE
);
CREATE TABLE epochs (
	run_id VARCHAR(36) NOT NULL, 
	epoch INTEGER NOT NULL, 
	train_loss FLOAT NOT NULL, 
	validation_loss FLOAT NOT NULL, 
	validation_accuracy FLOAT NOT NULL, 
	learning_rate FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	PRIMARY KEY (run_id, epoch), 
	CONSTRAINT epoch_least CHECK (epoch >= 1), 
	CONSTRAINT train_loss_finite CHECK (train_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	CONSTRAINT validation_loss_finite CHECK (validation_loss BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	CONSTRAINT validation_accuracy_range CHECK (validation_accuracy BETWEEN 0 AND 1), 
	CONSTRAINT learning_rate_finite CHECK (learning_rate BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	CONSTRAINT seconds_finite CHECK (seconds BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE traces (
	run_id VARCHAR(36) NOT NULL, 
	learning_rate BLOB NOT NULL, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO decaybench_version VALUES (1);
INSERT INTO sweeps VALUES ('sweep', 'old', '', '{}', '', 'running', '2026-11-21T01:37:33.326000+00:00', '{}');
INSERT INTO runs (id, sweep_id, phase, strategy, repeat, slot, length, seed) VALUES ('a', 'sweep', 'search', 'constant', 0, 0, 1.0, 7);
