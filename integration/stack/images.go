package stack

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

//go:embed images
var imageFiles embed.FS

// The official images, by their own names.
const (
	postgresImage = "postgres:15"
	redisImage    = "redis:7"
)

func odooImage(version string) string { return "odoo:" + version }

// imagesFor are the images that a stack needs.
func imagesFor(o Options) []string {
	images := []string{postgresImage, odooImage(o.Version)}
	if o.Redis {
		images = append(images, redisImage)
	}
	return images
}

// imageAPI is what it takes to look for images and to fetch them.
type imageAPI interface {
	ImageInspect(ctx context.Context, image string, options ...client.ImageInspectOption) (client.ImageInspectResult, error)
	ImagePull(ctx context.Context, image string, options client.ImagePullOptions) (client.ImagePullResponse, error)
}

// pullImage makes sure that the engine has an image, if need be from a registry.
func pullImage(ctx context.Context, docker imageAPI, image string) error {
	if _, err := docker.ImageInspect(ctx, image); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	pull, err := docker.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	if err := pull.Wait(ctx); err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	return nil
}

// provideImages makes sure that the engine has the images: present, pulled, or built from Debian packages.
func provideImages(ctx context.Context, docker imageAPI, o Options, apt apt, account account) error {
	// One process fetches or builds, the others find what it made.
	unlock, err := apt.cache.lock(ctx, "images")
	if err != nil {
		return err
	}
	defer unlock()
	var missing []string
	for _, image := range imagesFor(o) {
		if _, err := docker.ImageInspect(ctx, image); err == nil {
			continue
		}
		done := apt.progress.step("pulling %s", image)
		if pullImage(ctx, docker, image) != nil {
			missing = append(missing, image)
		}
		done()
	}
	if len(missing) == 0 {
		return nil
	}
	return buildImages(ctx, missing, apt, account)
}

// buildImages builds stand-ins for the official images, see images/build.sh.
func buildImages(ctx context.Context, images []string, apt apt, account account) error {
	defer apt.progress.step("building %s from Debian packages", strings.Join(images, ", "))()
	if err := apt.install(ctx, "building images", "debootstrap"); err != nil {
		return err
	}
	mirror, err := apt.mirror(ctx)
	if err != nil {
		return err
	}
	env := []string{"MIRROR=" + mirror, "LIBRARIES=" + strings.Join(odoo19Libraries, " ")}
	for _, image := range images {
		if image != odooImage("14.0") {
			continue
		}
		// The local provider's Debian root serves as the image's base, so it is installed only once.
		odoo, err := installOdoo14(ctx, apt, account)
		if err != nil {
			return err
		}
		env = append(env, "ODOO14_ROOT="+odoo.root)
	}
	scratch, err := os.MkdirTemp(apt.cache.path(), "images-")
	if err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := os.CopyFS(scratch, imageFiles); err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	return run(ctx, processSpec{
		name:  "images/build.sh",
		argv:  append([]string{"/bin/sh", filepath.Join(scratch, "images/build.sh")}, images...),
		env:   env,
		dir:   scratch,
		log:   apt.cache.path("logs", "images.log"),
		grace: 10 * time.Second,
	}, account)
}
