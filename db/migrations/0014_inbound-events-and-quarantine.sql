CREATE TABLE "inbound_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"job" text NOT NULL,
	"business_id" uuid,
	"payload" text NOT NULL,
	"requeues" integer DEFAULT 0 NOT NULL,
	"next_check_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid,
	"job" text NOT NULL,
	"key" text NOT NULL,
	"content" "bytea" NOT NULL,
	"reason" text NOT NULL,
	"attempts" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "quarantine" ADD CONSTRAINT "quarantine_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "inbound_events_key" ON "inbound_events" USING btree ("key");--> statement-breakpoint
CREATE INDEX "inbound_events_check" ON "inbound_events" USING btree ("next_check_at");--> statement-breakpoint
CREATE UNIQUE INDEX "quarantine_key" ON "quarantine" USING btree ("key");--> statement-breakpoint
CREATE INDEX "quarantine_list" ON "quarantine" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX "call_turns_untranscribed" ON "call_turns" USING btree ("created_at") WHERE "call_turns"."transcript" = 'untranscribed';--> statement-breakpoint
CREATE INDEX "calls_ended" ON "calls" USING btree ("ended_at") WHERE "calls"."stream_sid" is not null;--> statement-breakpoint
CREATE INDEX "message_media_pending" ON "message_media" USING btree ("created_at") WHERE "message_media"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "recordings_at_carrier" ON "recordings" USING btree ("recorded_at") WHERE "recordings"."deleted_remotely_at" is null;