CREATE TABLE "appointment_notices" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"appointment_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"revision" integer NOT NULL,
	"before" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"way" text,
	"detail" text,
	"sent_at" timestamp with time zone,
	"reply_message_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "appointment_notices_kind" CHECK ("appointment_notices"."kind" in ('booked', 'moved', 'cancelled', 'reminder', 'deposit', 'offer', 'follow_up')),
	CONSTRAINT "appointment_notices_state" CHECK ("appointment_notices"."state" in ('pending', 'sent', 'dropped', 'failed')),
	CONSTRAINT "appointment_notices_way" CHECK ("appointment_notices"."way" in ('whatsapp', 'sms', 'voice'))
);
--> statement-breakpoint
CREATE TABLE "booking_settings" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"slug" text,
	"page_enabled" boolean DEFAULT false NOT NULL,
	"step_minutes" integer DEFAULT 30 NOT NULL,
	"notice_minutes" integer DEFAULT 60 NOT NULL,
	"ahead_days" integer DEFAULT 60 NOT NULL,
	"hold_minutes" integer DEFAULT 10 NOT NULL,
	"deposit_minutes" integer DEFAULT 60 NOT NULL,
	"change_minutes" integer DEFAULT 120 NOT NULL,
	"holidays" jsonb,
	"travel" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"reminders" jsonb,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "booking_settings_slug_form" CHECK ("booking_settings"."slug" ~ '^[a-z0-9](-?[a-z0-9])*$' and length("booking_settings"."slug") between 3 and 60),
	CONSTRAINT "booking_settings_bounds" CHECK ("booking_settings"."step_minutes" between 5 and 240 and "booking_settings"."notice_minutes" between 0 and 43200 and "booking_settings"."ahead_days" between 1 and 366
        and "booking_settings"."hold_minutes" between 1 and 120 and "booking_settings"."deposit_minutes" between 5 and 2880 and "booking_settings"."change_minutes" between 0 and 43200)
);
--> statement-breakpoint
CREATE TABLE "service_staff" (
	"business_id" uuid NOT NULL,
	"service_id" uuid NOT NULL,
	"staff_id" uuid NOT NULL,
	CONSTRAINT "service_staff_service_id_staff_id_pk" PRIMARY KEY("service_id","staff_id")
);
--> statement-breakpoint
CREATE TABLE "services" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"name_he" text NOT NULL,
	"name_en" text NOT NULL,
	"minutes" integer NOT NULL,
	"buffer_before" integer DEFAULT 0 NOT NULL,
	"buffer_after" integer DEFAULT 0 NOT NULL,
	"price" integer,
	"deposit" integer,
	"place" text DEFAULT 'business' NOT NULL,
	"online" boolean DEFAULT true NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "services_bounds" CHECK ("services"."minutes" between 5 and 1440 and "services"."buffer_before" between 0 and 480 and "services"."buffer_after" between 0 and 480
        and "services"."price" between 0 and 100000000 and "services"."deposit" between 100 and 100000000),
	CONSTRAINT "services_place" CHECK ("services"."place" in ('phone', 'customer', 'business'))
);
--> statement-breakpoint
CREATE TABLE "staff" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"name" text NOT NULL,
	"member_id" uuid,
	"is_default" boolean DEFAULT false NOT NULL,
	"hours" jsonb,
	"breaks" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"capacity" integer DEFAULT 1 NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "staff_capacity" CHECK ("staff"."capacity" between 1 and 100)
);
--> statement-breakpoint
CREATE TABLE "staff_absences" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"staff_id" uuid NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "staff_absences_order" CHECK ("staff_absences"."ends_at" > "staff_absences"."starts_at")
);
--> statement-breakpoint
CREATE TABLE "waiting_list" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"service_id" uuid,
	"staff_id" uuid,
	"minutes" integer NOT NULL,
	"from_at" timestamp with time zone NOT NULL,
	"to_at" timestamp with time zone NOT NULL,
	"language" text NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"appointment_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "waiting_list_order" CHECK ("waiting_list"."to_at" > "waiting_list"."from_at"),
	CONSTRAINT "waiting_list_language" CHECK ("waiting_list"."language" in ('he', 'en')),
	CONSTRAINT "waiting_list_state" CHECK ("waiting_list"."state" in ('waiting', 'offered', 'booked', 'expired', 'cancelled'))
);
--> statement-breakpoint
ALTER TABLE "appointments" DROP CONSTRAINT "appointments_state";
--> statement-breakpoint
DROP INDEX "appointments_start";
--> statement-breakpoint
DROP INDEX "memberships_list";
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "staff_id" uuid;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "service_id" uuid;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "seat" integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "busy_from" timestamp with time zone;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "busy_to" timestamp with time zone;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "zone" text;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "local_date" date;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "local_time" text;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "held_until" timestamp with time zone;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "customer_confirmed_at" timestamp with time zone;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "source" text DEFAULT 'console' NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "request_key" text;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "deposit_payment_id" uuid;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "area" text;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "language" text;
--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX "services_tenant" ON "services" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "staff_tenant" ON "staff" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "staff_default" ON "staff" USING btree ("business_id") WHERE "staff"."is_default";
--> statement-breakpoint
CREATE UNIQUE INDEX "appointments_tenant" ON "appointments" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "memberships_list" ON "memberships" USING btree ("business_id","id");
--> statement-breakpoint
-- Ships with Postgres and is trusted: a role that may create in the database may install it.
CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
INSERT INTO "staff" ("id", "business_id", "name", "is_default")
SELECT gen_random_uuid(), "id", left("name", 200), true FROM "businesses";
--> statement-breakpoint
-- Fills what a writer leaves out that knows of no staff: the version before this one, while it still runs.
CREATE OR REPLACE FUNCTION "fill_appointment"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.staff_id IS NULL THEN
    SELECT id INTO new.staff_id FROM staff WHERE business_id = new.business_id AND is_default;
    IF new.staff_id IS NULL THEN
      INSERT INTO staff (id, business_id, name, is_default)
        SELECT gen_random_uuid(), id, left(name, 200), true FROM businesses WHERE id = new.business_id
        ON CONFLICT DO NOTHING;
      SELECT id INTO new.staff_id FROM staff WHERE business_id = new.business_id AND is_default;
    END IF;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (new.starts_at, new.ends_at) IS DISTINCT FROM (old.starts_at, old.ends_at)
      AND (new.busy_from, new.busy_to) IS NOT DISTINCT FROM (old.busy_from, old.busy_to) THEN
      new.busy_from := new.starts_at - (old.starts_at - old.busy_from);
      new.busy_to := new.ends_at + (old.busy_to - old.ends_at);
      new.local_date := NULL;
      new.local_time := NULL;
    END IF;
  END IF;
  new.busy_from := coalesce(new.busy_from, new.starts_at);
  new.busy_to := coalesce(new.busy_to, new.ends_at);
  IF new.zone IS NULL THEN
    SELECT timezone INTO new.zone FROM businesses WHERE id = new.business_id;
  END IF;
  new.local_date := coalesce(new.local_date, (new.starts_at AT TIME ZONE new.zone)::date);
  new.local_time := coalesce(new.local_time, to_char(new.starts_at AT TIME ZONE new.zone, 'HH24:MI'));
  RETURN new;
END $$;
--> statement-breakpoint
CREATE TRIGGER "appointments_fill" BEFORE INSERT OR UPDATE ON "appointments" FOR EACH ROW EXECUTE FUNCTION "fill_appointment"();
--> statement-breakpoint
UPDATE "appointments" SET "seat" = 0;
--> statement-breakpoint
-- Of appointments that overlap already, each later one gets a seat of its own, and the audit log names it: a person decides.
DO $$
DECLARE
  row record;
  free integer;
BEGIN
  FOR row IN
    SELECT a.id, a.business_id, a.staff_id, a.starts_at, a.ends_at FROM appointments a
    WHERE a.state = 'booked' AND EXISTS (
      SELECT FROM appointments b WHERE b.business_id = a.business_id AND b.state = 'booked' AND b.id <> a.id
        AND b.starts_at < a.ends_at AND b.ends_at > a.starts_at AND (b.starts_at, b.id) < (a.starts_at, a.id))
    ORDER BY a.business_id, a.starts_at, a.id
  LOOP
    SELECT min(seats.n) INTO free FROM generate_series(0, 1000) AS seats(n) WHERE NOT EXISTS (
      SELECT FROM appointments b WHERE b.business_id = row.business_id AND b.state = 'booked' AND b.id <> row.id
        AND b.starts_at < row.ends_at AND b.ends_at > row.starts_at AND b.seat = seats.n);
    UPDATE appointments SET seat = free WHERE id = row.id;
    INSERT INTO audit_log (id, business_id, actor_kind, actor_id, action, entity, entity_id, data)
      VALUES (gen_random_uuid(), row.business_id, 'system', 'migration', 'appointment.overlap', 'appointment', row.id::text,
        jsonb_build_object('startsAt', row.starts_at));
  END LOOP;
END $$;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "staff_id" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "busy_from" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "busy_to" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "zone" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "local_date" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointments" ALTER COLUMN "local_time" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD CONSTRAINT "appointment_notices_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD CONSTRAINT "appointment_notices_appointment_fk" FOREIGN KEY ("business_id","appointment_id") REFERENCES "public"."appointments"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "booking_settings" ADD CONSTRAINT "booking_settings_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "service_staff" ADD CONSTRAINT "service_staff_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "service_staff" ADD CONSTRAINT "service_staff_service_fk" FOREIGN KEY ("business_id","service_id") REFERENCES "public"."services"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "service_staff" ADD CONSTRAINT "service_staff_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "services" ADD CONSTRAINT "services_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "staff" ADD CONSTRAINT "staff_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "staff" ADD CONSTRAINT "staff_member_id_memberships_id_fk" FOREIGN KEY ("member_id") REFERENCES "public"."memberships"("id") ON DELETE set null ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "staff" ADD CONSTRAINT "staff_member_fk" FOREIGN KEY ("business_id","member_id") REFERENCES "public"."memberships"("business_id","id") DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint
ALTER TABLE "staff_absences" ADD CONSTRAINT "staff_absences_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "staff_absences" ADD CONSTRAINT "staff_absences_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "waiting_list" ADD CONSTRAINT "waiting_list_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "waiting_list" ADD CONSTRAINT "waiting_list_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "public"."contacts"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "waiting_list" ADD CONSTRAINT "waiting_list_service_fk" FOREIGN KEY ("business_id","service_id") REFERENCES "public"."services"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "waiting_list" ADD CONSTRAINT "waiting_list_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "waiting_list" ADD CONSTRAINT "waiting_list_appointment_fk" FOREIGN KEY ("business_id","appointment_id") REFERENCES "public"."appointments"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE UNIQUE INDEX "appointment_notices_once" ON "appointment_notices" USING btree ("appointment_id","kind","revision","before");
--> statement-breakpoint
CREATE INDEX "appointment_notices_appointment" ON "appointment_notices" USING btree ("business_id","appointment_id");
--> statement-breakpoint
CREATE INDEX "appointment_notices_due" ON "appointment_notices" USING btree ("due_at") WHERE "appointment_notices"."state" = 'pending';
--> statement-breakpoint
CREATE UNIQUE INDEX "booking_settings_slug" ON "booking_settings" USING btree ("slug");
--> statement-breakpoint
CREATE INDEX "service_staff_service" ON "service_staff" USING btree ("business_id","service_id");
--> statement-breakpoint
CREATE INDEX "service_staff_staff" ON "service_staff" USING btree ("business_id","staff_id");
--> statement-breakpoint
CREATE INDEX "staff_member" ON "staff" USING btree ("member_id");
--> statement-breakpoint
CREATE INDEX "staff_absences_staff" ON "staff_absences" USING btree ("business_id","staff_id","ends_at");
--> statement-breakpoint
CREATE INDEX "waiting_list_waiting" ON "waiting_list" USING btree ("business_id","created_at") WHERE "waiting_list"."state" in ('waiting', 'offered');
--> statement-breakpoint
CREATE INDEX "waiting_list_contact" ON "waiting_list" USING btree ("business_id","contact_id");
--> statement-breakpoint
CREATE INDEX "waiting_list_service" ON "waiting_list" USING btree ("business_id","service_id");
--> statement-breakpoint
CREATE INDEX "waiting_list_staff" ON "waiting_list" USING btree ("business_id","staff_id");
--> statement-breakpoint
CREATE INDEX "waiting_list_appointment" ON "waiting_list" USING btree ("business_id","appointment_id");
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE set null ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_deposit_payment_id_payments_id_fk" FOREIGN KEY ("deposit_payment_id") REFERENCES "public"."payments"("id") ON DELETE set null ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_staff_fk" FOREIGN KEY ("business_id","staff_id") REFERENCES "public"."staff"("business_id","id") DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_service_fk" FOREIGN KEY ("business_id","service_id") REFERENCES "public"."services"("business_id","id") DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_deposit_payment_fk" FOREIGN KEY ("business_id","deposit_payment_id") REFERENCES "public"."payments"("business_id","id") DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint
CREATE UNIQUE INDEX "appointments_request" ON "appointments" USING btree ("business_id","request_key") WHERE "appointments"."request_key" is not null;
--> statement-breakpoint
CREATE INDEX "appointments_staff" ON "appointments" USING btree ("business_id","staff_id","starts_at");
--> statement-breakpoint
CREATE INDEX "appointments_service" ON "appointments" USING btree ("service_id");
--> statement-breakpoint
CREATE INDEX "appointments_deposit" ON "appointments" USING btree ("deposit_payment_id");
--> statement-breakpoint
CREATE INDEX "appointments_held" ON "appointments" USING btree ("held_until") WHERE "appointments"."state" = 'held';
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_busy" CHECK ("appointments"."busy_from" <= "appointments"."starts_at" and "appointments"."busy_to" >= "appointments"."ends_at");
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_held_until" CHECK ("appointments"."state" <> 'held' or "appointments"."held_until" is not null);
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_seat" CHECK ("appointments"."seat" >= 0);
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_source" CHECK ("appointments"."source" in ('voice', 'whatsapp', 'console', 'page', 'calendar'));
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_language" CHECK ("appointments"."language" in ('he', 'en'));
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_state" CHECK ("appointments"."state" in ('held', 'booked', 'cancelled', 'expired', 'no_show'));
--> statement-breakpoint
ALTER TABLE "appointments" ADD CONSTRAINT "appointments_no_overlap" EXCLUDE USING gist
  ("staff_id" WITH =, "seat" WITH =, tstzrange("busy_from", "busy_to") WITH &&) WHERE ("state" IN ('held', 'booked', 'no_show'));
