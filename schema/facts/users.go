package facts

import (
	"maps"
	"slices"
	"strings"
)

// SelfReadable returns the fields of res.users that a user may read on his own record as superuser, that is without
// regard to model access, record rules and field groups (SELF_READABLE_FIELDS), sorted. It holds for a read of exactly
// one record, the reader's own, that asks for these fields only; names that begin with "context_" count as readable
// too. Searches, and reads of several users, follow the ordinary rules. In 19.0 the groups of these fields are waived
// for the own record, read alone, next to other fields as well; only outgoing_mail_server_id and _type have any.
//
// What it changes: internal and portal users may read their own row anyway (everyone has access to the model, and the
// shipped rules let one's own row through), so stored values are the same. As superuser, what hangs on the row is read
// too where the user lacks access to the other model. In 19.0 that is, for a portal user, group_ids, device_ids and
// role_ids, which raise an AccessError as soon as another field is asked for as well; and for anybody what is inherited
// from res.partner (lang, tz, images; in 14.0 also name and email), which otherwise needs access to the partner. In
// 14.0 many2many fields do not check access.
//
// For a series between the scanned ones it returns what both have.
func (f *Facts) SelfReadable() []string {
	var common map[string]bool
	for _, s := range f.scans {
		fields := map[string]bool{}
		for _, p := range s.Models["res.users"] {
			if m := f.models["res.users"]; m == nil || !slices.Contains(m.Modules, p.In) {
				continue
			}
			for field := range strings.FieldsSeq(selfReadable[s.Series][p.In]) {
				fields[field] = true
			}
		}
		if common != nil {
			maps.DeleteFunc(fields, func(field string, _ bool) bool { return !common[field] })
		}
		common = fields
	}
	return slices.Sorted(maps.Keys(common))
}

// selfReadable lists what each add-on puts on SELF_READABLE_FIELDS, by series and add-on.
//
// password and new_password are on no list: they are computed and always read ” (14.0, 19.0), whereas the column
// res_users.password holds the hash; it is no column of the ORM's and must never be selected.
var selfReadable = map[string]map[string]string{
	"14.0": {
		"base": `signature company_id login email name image_1920 image_1024 image_512 image_256 image_128 lang tz
			tz_offset groups_id partner_id __last_update action_id api_key_ids`,
		"auth_totp":   "totp_enabled",
		"hr":          hrSelfReadable14,
		"hr_contract": "vehicle bank_account_id",
		"hr_attendance": `hours_last_month hours_last_month_display attendance_state last_check_in
			last_check_out`,
		"hr_expense": "expense_manager_id",
		"hr_fleet":   "employee_cars_count",
		"hr_holidays": `leave_manager_id show_leaves allocation_used_count allocation_count leave_date_to is_absent
			allocation_used_display allocation_display hr_icon_display`,
		"hr_maintenance":  "equipment_count",
		"hr_skills":       "resume_line_ids employee_skill_ids",
		"im_livechat":     "livechat_username",
		"mail":            "notification_type",
		"mail_bot":        "odoobot_state",
		"sale_stock":      "property_warehouse_id",
		"website_profile": "karma",
	},
	"19.0": {
		"base": `signature company_id login email name image_1920 image_1024 image_512 image_256 image_128 lang tz
			tz_offset group_ids partner_id write_date action_id avatar_1920 avatar_1024 avatar_512 avatar_256
			avatar_128 share device_ids api_key_ids phone display_name`,
		"auth_oauth":   "has_oauth_access_token",
		"auth_passkey": "auth_passkey_key_ids",
		"auth_totp":    "totp_enabled totp_trusted_device_ids",
		"calendar":     "calendar_default_privacy",
		"hr": `active child_ids employee_id employee_ids is_hr_user is_system employee_resource_calendar_id
			work_contact_id bank_account_ids additional_note private_street private_street2 private_city
			private_state_id private_zip private_country_id private_phone private_email barcode category_ids
			display_name emergency_contact emergency_phone employee_bank_account_ids job_title km_home_work
			mobile_phone pin visa_expire work_email work_location_id work_phone`,
		"hr_holidays": "leave_date_to",
		"hr_homeworking": `monday_location_id tuesday_location_id wednesday_location_id thursday_location_id
			friday_location_id saturday_location_id sunday_location_id`,
		"im_livechat": "has_access_livechat livechat_expertise_ids livechat_lang_ids livechat_username",
		"mail": `can_edit_role is_out_of_office notification_type out_of_office_from out_of_office_message
			out_of_office_to role_ids has_external_mail_server outgoing_mail_server_id outgoing_mail_server_type`,
		"mail_bot":        "odoobot_state",
		"sale_stock":      "property_warehouse_id",
		"website_profile": "karma",
	},
}

const hrSelfReadable14 = `active child_ids employee_id employee_ids employee_parent_id hr_presence_state last_activity
	last_activity_time can_edit additional_note address_home_id address_id barcode birthday category_ids children
	coach_id country_of_birth department_id display_name emergency_contact emergency_phone employee_bank_account_id
	employee_country_id gender identification_id is_address_home_a_company job_title private_email km_home_work
	marital mobile_phone notes passport_id permit_no employee_phone pin place_of_birth spouse_birthdate
	spouse_complete_name visa_expire visa_no work_email work_location work_phone certificate study_field
	study_school`
