CREATE TABLE "calendar_connections" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"staff_id" uuid,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"sealed" text NOT NULL,
	"state" text DEFAULT 'connected' NOT NULL,
	"reason" text,
	"failures" integer DEFAULT 0 NOT NULL,
	"on_change" text DEFAULT 'ask' NOT NULL,
	"notify_customer" boolean DEFAULT true NOT NULL,
	"show_titles" boolean DEFAULT false NOT NULL,
	"synced_at" timestamp with time zone,
	"next_sync_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "calendar_connections_kind" CHECK ("calendar_connections"."kind" in ('google', 'microsoft', 'caldav', 'ics')),
	CONSTRAINT "calendar_connections_state" CHECK ("calendar_connections"."state" in ('connected', 'needs_reconnect', 'failing')),
	CONSTRAINT "calendar_connections_on_change" CHECK ("calendar_connections"."on_change" in ('ask', 'apply'))
);
--> statement-breakpoint
CREATE TABLE "calendar_feeds" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"staff_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "calendar_pushes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"appointment_id" uuid NOT NULL,
	"calendar_id" uuid NOT NULL,
	"event_id" text,
	"state" text DEFAULT 'pending' NOT NULL,
	"content" text,
	"revision" integer DEFAULT 0 NOT NULL,
	"etag" text,
	"starts_at" timestamp with time zone,
	"ends_at" timestamp with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp with time zone DEFAULT now() NOT NULL,
	"error" text,
	"change" text,
	"changed_starts_at" timestamp with time zone,
	"changed_ends_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "calendar_pushes_state" CHECK ("calendar_pushes"."state" in ('pending', 'pushed', 'removing')),
	CONSTRAINT "calendar_pushes_change" CHECK ("calendar_pushes"."change" in ('moved', 'deleted'))
);
--> statement-breakpoint
CREATE TABLE "outside_calendars" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"connection_id" uuid NOT NULL,
	"remote_id" text NOT NULL,
	"name" text NOT NULL,
	"writable" boolean NOT NULL,
	"reads" boolean DEFAULT false NOT NULL,
	"writes" boolean DEFAULT false NOT NULL,
	"sync_state" text,
	"read_at" timestamp with time zone,
	"synced_at" timestamp with time zone,
	"channel_id" text,
	"channel_resource" text,
	"channel_expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "outside_calendars_writes" CHECK (not "outside_calendars"."writes" or "outside_calendars"."writable")
);
--> statement-breakpoint
CREATE TABLE "outside_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"calendar_id" uuid NOT NULL,
	"object_id" text NOT NULL,
	"event_id" text NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"busy" boolean NOT NULL,
	"all_day" boolean NOT NULL,
	"etag" text,
	"title" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "outside_events_order" CHECK ("outside_events"."ends_at" > "outside_events"."starts_at")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "calendar_connections_tenant" ON "calendar_connections" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "calendar_pushes_once" ON "calendar_pushes" USING btree ("calendar_id","appointment_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "calendar_pushes_event" ON "calendar_pushes" USING btree ("calendar_id","event_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "outside_calendars_tenant" ON "outside_calendars" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "outside_calendars_remote" ON "outside_calendars" USING btree ("connection_id","remote_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "outside_calendars_channel" ON "outside_calendars" USING btree ("channel_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "outside_events_event" ON "outside_events" USING btree ("calendar_id","event_id");
--> statement-breakpoint
CREATE INDEX "calendar_connections_staff" ON "calendar_connections" USING btree ("business_id","staff_id");
--> statement-breakpoint
CREATE INDEX "calendar_connections_due" ON "calendar_connections" USING btree ("next_sync_at") WHERE "calendar_connections"."state" <> 'needs_reconnect';
--> statement-breakpoint
CREATE INDEX "calendar_feeds_business" ON "calendar_feeds" USING btree ("business_id");
--> statement-breakpoint
CREATE INDEX "calendar_feeds_staff" ON "calendar_feeds" USING btree ("business_id","staff_id");
--> statement-breakpoint
CREATE INDEX "calendar_pushes_appointment" ON "calendar_pushes" USING btree ("business_id","appointment_id");
--> statement-breakpoint
CREATE INDEX "calendar_pushes_calendar" ON "calendar_pushes" USING btree ("business_id","calendar_id");
--> statement-breakpoint
CREATE INDEX "calendar_pushes_change" ON "calendar_pushes" USING btree ("business_id") WHERE "calendar_pushes"."change" is not null;
--> statement-breakpoint
CREATE INDEX "outside_calendars_connection" ON "outside_calendars" USING btree ("business_id","connection_id");
--> statement-breakpoint
CREATE INDEX "outside_events_calendar" ON "outside_events" USING btree ("business_id","calendar_id","object_id");
--> statement-breakpoint
CREATE INDEX "outside_events_busy" ON "outside_events" USING btree ("business_id","ends_at") WHERE "outside_events"."busy";
--> statement-breakpoint
ALTER TABLE "calendar_connections" ADD CONSTRAINT "calendar_connections_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_connections" ADD CONSTRAINT "calendar_connections_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_feeds" ADD CONSTRAINT "calendar_feeds_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_feeds" ADD CONSTRAINT "calendar_feeds_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_pushes" ADD CONSTRAINT "calendar_pushes_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_pushes" ADD CONSTRAINT "calendar_pushes_appointment_fk" FOREIGN KEY ("business_id","appointment_id") REFERENCES "public"."appointments"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "calendar_pushes" ADD CONSTRAINT "calendar_pushes_calendar_fk" FOREIGN KEY ("business_id","calendar_id") REFERENCES "public"."outside_calendars"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "outside_calendars" ADD CONSTRAINT "outside_calendars_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "outside_calendars" ADD CONSTRAINT "outside_calendars_connection_fk" FOREIGN KEY ("business_id","connection_id") REFERENCES "public"."calendar_connections"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "outside_events" ADD CONSTRAINT "outside_events_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "outside_events" ADD CONSTRAINT "outside_events_calendar_fk" FOREIGN KEY ("business_id","calendar_id") REFERENCES "public"."outside_calendars"("business_id","id") ON DELETE cascade ON UPDATE no action;
