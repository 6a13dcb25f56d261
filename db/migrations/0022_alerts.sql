CREATE TABLE "alert_channels" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"way" text NOT NULL,
	"label" text NOT NULL,
	"language" text NOT NULL,
	"sealed" text NOT NULL,
	"kinds" text[],
	"enabled" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "alert_channels_way" CHECK ("alert_channels"."way" in ('slack', 'telegram', 'webhook')),
	CONSTRAINT "alert_channels_language" CHECK ("alert_channels"."language" in ('he', 'en'))
);
--> statement-breakpoint
CREATE TABLE "alert_deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"incident_id" uuid,
	"kind" text NOT NULL,
	"purpose" text NOT NULL,
	"way" text NOT NULL,
	"user_id" text,
	"device_id" uuid,
	"channel_id" uuid,
	"key" text NOT NULL,
	"state" text NOT NULL,
	"address" text,
	"covers" jsonb,
	"not_before" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"queued_at" timestamp with time zone,
	"claimed_at" timestamp with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"provider_ref" text,
	"error" text,
	"sent_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "alert_deliveries_purpose" CHECK ("alert_deliveries"."purpose" in ('alert', 'escalation', 'taken', 'all_clear', 'summary', 'test')),
	CONSTRAINT "alert_deliveries_way" CHECK ("alert_deliveries"."way" in ('push', 'email', 'whatsapp', 'sms', 'call', 'slack', 'telegram', 'webhook')),
	CONSTRAINT "alert_deliveries_state" CHECK ("alert_deliveries"."state" in ('pending', 'held', 'sending', 'sent', 'summarized', 'dropped', 'failed', 'unknown'))
);
--> statement-breakpoint
CREATE TABLE "alert_incidents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"state" text NOT NULL,
	"member_id" text,
	"facts" jsonb,
	"strikes" integer DEFAULT 1 NOT NULL,
	"flaps" integer DEFAULT 0 NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"bad_since" timestamp with time zone,
	"good_since" timestamp with time zone,
	"opened_at" timestamp with time zone,
	"seen_at" timestamp with time zone,
	"seen_by" text,
	"taken_at" timestamp with time zone,
	"taken_by" text,
	"taken_how" text,
	"answer" text,
	"over_at" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "alert_incidents_state" CHECK ("alert_incidents"."state" in ('watched', 'open', 'over')),
	CONSTRAINT "alert_incidents_taken_how" CHECK ("alert_incidents"."taken_how" in ('console', 'whatsapp', 'sms', 'call')),
	CONSTRAINT "alert_incidents_answer" CHECK ("alert_incidents"."answer" in ('done', 'call_back'))
);
--> statement-breakpoint
CREATE TABLE "alert_ladder" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"user_id" text,
	"ways" text[] NOT NULL,
	"after_minutes" integer NOT NULL,
	CONSTRAINT "alert_ladder_after" CHECK ("alert_ladder"."after_minutes" between 1 and 1440)
);
--> statement-breakpoint
CREATE TABLE "alert_members" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"user_id" text,
	"language" text NOT NULL,
	"phone" text,
	"rules" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"quiet_from" text,
	"quiet_to" text,
	"quiet_rest_days" boolean DEFAULT false NOT NULL,
	"daily_at" text,
	"weekly_on" integer,
	"next_daily_at" timestamp with time zone,
	"next_weekly_at" timestamp with time zone,
	"mail_off_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "alert_members_quiet" CHECK (("alert_members"."quiet_from" is null) = ("alert_members"."quiet_to" is null)),
	CONSTRAINT "alert_members_phone_form" CHECK ("alert_members"."phone" ~ '^\+[0-9]{6,15}$'),
	CONSTRAINT "alert_members_language" CHECK ("alert_members"."language" in ('he', 'en'))
);
--> statement-breakpoint
CREATE TABLE "alert_settings" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"escalated" text[],
	"whatsapp_template" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "alert_steps" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"incident_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"user_id" text,
	"ways" text[] NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "alert_steps_state" CHECK ("alert_steps"."state" in ('pending', 'done', 'skipped'))
);
--> statement-breakpoint
CREATE TABLE "alert_watch" (
	"name" text PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "alert_channels_tenant" ON "alert_channels" USING btree ("business_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_incidents_tenant" ON "alert_incidents" USING btree ("business_id","id");--> statement-breakpoint
ALTER TABLE "recordings" ADD COLUMN "transcript" text;--> statement-breakpoint
ALTER TABLE "alert_channels" ADD CONSTRAINT "alert_channels_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_incident_fk" FOREIGN KEY ("business_id","incident_id") REFERENCES "public"."alert_incidents"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_device_fk" FOREIGN KEY ("business_id","device_id") REFERENCES "public"."push_devices"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_channel_fk" FOREIGN KEY ("business_id","channel_id") REFERENCES "public"."alert_channels"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_incidents" ADD CONSTRAINT "alert_incidents_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_incidents" ADD CONSTRAINT "alert_incidents_member_id_auth_users_id_fk" FOREIGN KEY ("member_id") REFERENCES "public"."auth_users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_incidents" ADD CONSTRAINT "alert_incidents_seen_by_auth_users_id_fk" FOREIGN KEY ("seen_by") REFERENCES "public"."auth_users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_incidents" ADD CONSTRAINT "alert_incidents_taken_by_auth_users_id_fk" FOREIGN KEY ("taken_by") REFERENCES "public"."auth_users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_ladder" ADD CONSTRAINT "alert_ladder_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_ladder" ADD CONSTRAINT "alert_ladder_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_members" ADD CONSTRAINT "alert_members_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_members" ADD CONSTRAINT "alert_members_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_settings" ADD CONSTRAINT "alert_settings_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_steps" ADD CONSTRAINT "alert_steps_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_steps" ADD CONSTRAINT "alert_steps_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_steps" ADD CONSTRAINT "alert_steps_incident_fk" FOREIGN KEY ("business_id","incident_id") REFERENCES "public"."alert_incidents"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_deliveries_once" ON "alert_deliveries" USING btree ("business_id","key");--> statement-breakpoint
CREATE INDEX "alert_deliveries_list" ON "alert_deliveries" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_incident" ON "alert_deliveries" USING btree ("business_id","incident_id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_waiting" ON "alert_deliveries" USING btree ("not_before") WHERE "alert_deliveries"."state" in ('pending', 'held', 'sending');--> statement-breakpoint
CREATE INDEX "alert_deliveries_address" ON "alert_deliveries" USING btree ("business_id","address","sent_at") WHERE "alert_deliveries"."address" is not null;--> statement-breakpoint
CREATE INDEX "alert_deliveries_device" ON "alert_deliveries" USING btree ("business_id","device_id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_channel" ON "alert_deliveries" USING btree ("business_id","channel_id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_user" ON "alert_deliveries" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_age" ON "alert_deliveries" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_incidents_current" ON "alert_incidents" USING btree ("business_id","kind","subject") WHERE "alert_incidents"."state" <> 'over';--> statement-breakpoint
CREATE INDEX "alert_incidents_subject" ON "alert_incidents" USING btree ("business_id","kind","subject","id");--> statement-breakpoint
CREATE INDEX "alert_incidents_expiry" ON "alert_incidents" USING btree ("expires_at") WHERE "alert_incidents"."state" <> 'over';--> statement-breakpoint
CREATE INDEX "alert_incidents_age" ON "alert_incidents" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "alert_incidents_member" ON "alert_incidents" USING btree ("member_id");--> statement-breakpoint
CREATE INDEX "alert_incidents_seen_by" ON "alert_incidents" USING btree ("seen_by");--> statement-breakpoint
CREATE INDEX "alert_incidents_taken_by" ON "alert_incidents" USING btree ("taken_by");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_ladder_position" ON "alert_ladder" USING btree ("business_id","position");--> statement-breakpoint
CREATE INDEX "alert_ladder_user" ON "alert_ladder" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_members_user" ON "alert_members" USING btree ("business_id","user_id") WHERE "alert_members"."user_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_members_machine" ON "alert_members" USING btree ("business_id") WHERE "alert_members"."user_id" is null;--> statement-breakpoint
CREATE INDEX "alert_members_business" ON "alert_members" USING btree ("business_id");--> statement-breakpoint
CREATE INDEX "alert_members_login" ON "alert_members" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "alert_members_daily" ON "alert_members" USING btree ("next_daily_at") WHERE "alert_members"."next_daily_at" is not null;--> statement-breakpoint
CREATE INDEX "alert_members_weekly" ON "alert_members" USING btree ("next_weekly_at") WHERE "alert_members"."next_weekly_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_steps_position" ON "alert_steps" USING btree ("incident_id","position");--> statement-breakpoint
CREATE INDEX "alert_steps_business" ON "alert_steps" USING btree ("business_id","incident_id");--> statement-breakpoint
CREATE INDEX "alert_steps_due" ON "alert_steps" USING btree ("due_at") WHERE "alert_steps"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "alert_steps_user" ON "alert_steps" USING btree ("user_id");