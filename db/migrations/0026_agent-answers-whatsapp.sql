-- online
CREATE TABLE IF NOT EXISTS "agent_answers" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "agent_runs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"engine" text,
	"model" text,
	"language" text,
	"text" text,
	"sent_message_id" uuid,
	"tools" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"sources" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"guard" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"gaps" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"settled_ms" integer,
	"thinking_ms" integer,
	"input_tokens" integer,
	"output_tokens" integer,
	"cost_micros" bigint,
	"decided_by" text,
	"decided_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "agent_runs_outcome" CHECK ("agent_runs"."outcome" in ('answered', 'draft', 'superseded', 'discarded', 'silent', 'failed')),
	CONSTRAINT "agent_runs_engine" CHECK ("agent_runs"."engine" in ('rules', 'model')),
	CONSTRAINT "agent_runs_language" CHECK ("agent_runs"."language" in ('he', 'en'))
);--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "agent_settings" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"enabled_at" timestamp with time zone,
	"settings" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "agent_states" (
	"conversation_id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"mode" text DEFAULT 'on' NOT NULL,
	"paused_until" timestamp with time zone,
	"paused_because" text,
	"resumed_at" timestamp with time zone,
	"context_from" timestamp with time zone,
	"dialogue" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "agent_states_mode" CHECK ("agent_states"."mode" in ('on', 'paused', 'off')),
	CONSTRAINT "agent_states_paused_because" CHECK ("agent_states"."paused_because" in ('person_wrote', 'handover', 'loop', 'by_hand', 'failed'))
);--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN IF NOT EXISTS "written_by" text;--> statement-breakpoint
CREATE UNIQUE INDEX IF NOT EXISTS "agent_runs_tenant" ON "agent_runs" USING btree ("business_id","id");--> statement-breakpoint
ALTER TABLE "agent_answers" DROP CONSTRAINT IF EXISTS "agent_answers_business_id_businesses_id_fk", ADD CONSTRAINT "agent_answers_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_answers" DROP CONSTRAINT IF EXISTS "agent_answers_message_fk", ADD CONSTRAINT "agent_answers_message_fk" FOREIGN KEY ("business_id","message_id") REFERENCES "public"."messages"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_answers" DROP CONSTRAINT IF EXISTS "agent_answers_run_fk", ADD CONSTRAINT "agent_answers_run_fk" FOREIGN KEY ("business_id","run_id") REFERENCES "public"."agent_runs"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_runs" DROP CONSTRAINT IF EXISTS "agent_runs_business_id_businesses_id_fk", ADD CONSTRAINT "agent_runs_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_runs" DROP CONSTRAINT IF EXISTS "agent_runs_contact_fk", ADD CONSTRAINT "agent_runs_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "public"."contacts"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_settings" DROP CONSTRAINT IF EXISTS "agent_settings_business_id_businesses_id_fk", ADD CONSTRAINT "agent_settings_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_states" DROP CONSTRAINT IF EXISTS "agent_states_business_id_businesses_id_fk", ADD CONSTRAINT "agent_states_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_states" DROP CONSTRAINT IF EXISTS "agent_states_conversation_fk", ADD CONSTRAINT "agent_states_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "public"."conversations"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" DROP CONSTRAINT IF EXISTS "messages_written_by", ADD CONSTRAINT "messages_written_by" CHECK ("messages"."written_by" in ('person', 'integration', 'agent', 'system')) NOT VALID;--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_written_by";--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_answers_run" ON "agent_answers" USING btree ("business_id","run_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_answers_message" ON "agent_answers" USING btree ("business_id","message_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_runs_contact" ON "agent_runs" USING btree ("contact_id","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_runs_age" ON "agent_runs" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_runs_drafts" ON "agent_runs" USING btree ("business_id","contact_id") WHERE "agent_runs"."outcome" = 'draft';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "agent_states_business" ON "agent_states" USING btree ("business_id","conversation_id");
