package main

import (
	"encoding/json"
	"fmt"
	"strings"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// parse reads the body of a request under a contract. What it accepts can be sent.
func (c *relayContract) parse(body []byte, noBroadcast bool) (whop.Notification, *relayError) {
	var n whop.Notification
	var fields map[string]json.RawMessage
	if !json.Valid(body) {
		return n, invalid("invalid_json", "", "The request body is not valid JSON.")
	}
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return n, invalid(parameterInvalid, "", "The request body must be a JSON object.")
	}
	if fault := c.checkTarget(fields); fault != nil {
		return n, fault
	}
	err := n.UnmarshalJSON(body)
	if err == nil {
		err = n.Validate()
	}
	if err != nil {
		return n, c.explain(err, fields)
	}
	if noBroadcast && toEverybody(body) {
		return n, &relayError{
			status: 400, reason: "broadcast", code: parameterMissing, param: "user_ids",
			message: "Missing required parameter: user_ids. Without it everybody in the target is notified, which this relay refuses (--no-broadcast).",
		}
	}
	return n, nil
}

// checkTarget wants exactly one, in the contract's own word: a notification takes either
// word, and names that of the vendored contract where it blames one.
func (c *relayContract) checkTarget(fields map[string]json.RawMessage) *relayError {
	if _, found := fields[c.foreign]; found {
		return invalid(parameterInvalid, c.foreign, fmt.Sprintf("Unknown parameter %s: this API version calls it %s.", c.foreign, c.company))
	}
	company, hasCompany := fields[c.company]
	experience, hasExperience := fields["experience_id"]
	choice := c.company + " and experience_id"
	switch given := hasCompany && string(company) != "null"; {
	case given && hasExperience && string(experience) != "null":
		return invalid(parameterInvalid, c.company, "Give one of "+choice+", not both.")
	case given || hasExperience && string(experience) != "null":
		return nil
	}
	param := c.company
	if hasExperience && !hasCompany {
		param = "experience_id"
	}
	return invalid(parameterMissing, param, "Missing required parameter: one of "+choice+".")
}

// explain tells what is wrong with a notification, and blames the first field.
func (c *relayContract) explain(err error, fields map[string]json.RawMessage) *relayError {
	var messages []string
	var first *relayError
	for _, fault := range validationErrors(err) {
		param := fault.Field
		if param == "company_id" {
			param = c.company
		}
		code, message := parameterInvalid, fmt.Sprintf("Invalid parameter %s: %s.", oneLine(shorten(param, 100)), fault.Reason)
		_, given := fields[fault.Field]
		switch {
		case param == "":
			message = fmt.Sprintf("Invalid request body: %s.", fault.Reason)
		case !given && (param == "title" || param == "content"):
			code, message = parameterMissing, "Missing required parameter: "+param+"."
		}
		messages = append(messages, message)
		if first == nil {
			first = invalid(code, oneLine(shorten(param, 100)), "")
		}
	}
	if first == nil {
		return invalid(parameterInvalid, "", "The request body is not a notification.")
	}
	const most = 10
	if len(messages) > most {
		messages = append(messages[:most], fmt.Sprintf("And %d more.", len(messages)-most))
	}
	first.message = strings.Join(messages, " ")
	return first
}
